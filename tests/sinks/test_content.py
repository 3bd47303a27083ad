"""What stands in a token file, by its form or its template; never more of the world than a token and what it is for."""

import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from broker.core.model import Token
from broker.core.secret import Secret
from broker.core.shell import quoted
from broker.settings.files import File
from broker.sinks.content import content
from broker.sinks.forms import FORMS
from broker.sinks.token_file import SinkError
from tests.core.builders import token
from tests.e2e.command import ROOT
from tests.sinks.kept import URL, token_file

PATH = Path("/run/t")
ODD = 'tok\'en$(id) "x"\\'
CATALOG = [
    {"type": "identity", "endpoints": [{"interface": "public", "url": "https://iam/"}]},
    {
        "type": "object-store",
        "endpoints": [
            {"interface": "internal", "url": "https://inside/"},
            {"interface": "public", "url": "https://first/$(id)"},
            {"interface": "public", "url": "https://second/"},
        ],
    },
    {"type": "odd\nname", "endpoints": [{"interface": "public", "url": "https://x/"}]},
    {"type": "compute", "endpoints": []},
]


def held(value: str = "token-1") -> Token:
    body = json.dumps({"token": {"catalog": CATALOG}}).encode()
    return replace(token(), value=Secret(value), body=body)


def made(form: str, value: str = "token-1") -> str:
    return content(token_file(PATH, form=form), held(value)).decode()


def shell(script: str) -> str:
    return subprocess.run(
        ["sh", "-c", f"id() {{ echo called; }}; {script}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    ).stdout


def test_the_words_of_the_settings_are_those_that_there_are():
    assert set(File.model_fields["format"].annotation.__args__) == set(FORMS)  # type: ignore[union-attr]


def test_a_text_is_the_token_and_nothing_else():
    assert made("text") == "token-1"


def test_a_header_is_a_line_for_curl():
    assert made("header") == "X-Auth-Token: token-1\n"


def test_json_says_what_the_token_is_for_and_when_it_ends():
    assert json.loads(made("json")) == {
        "token": "token-1",
        "identity": "default",
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": "2026-01-01T12:00:00.000000Z",
        "project": {"id": "p1", "name": "shop"},
        "user": {"id": "u1", "name": "robot"},
        "roles": ["member"],
        "key_expires_at": None,
    }


@pytest.mark.parametrize("value", ["token-1", ODD])
def test_a_shell_reads_what_is_for_a_shell(tmp_path: Path, value: str):
    for form in ("env", "openrc"):
        (tmp_path / form).write_text(made(form, value))
        assert shell(f'. {tmp_path}/{form}; printf %s "$OS_TOKEN"') == value
        assert shell(f". {tmp_path}/{form}; sh -c 'printf %s \"$OS_TOKEN\"'") == value, "it is exported"


@pytest.mark.parametrize("value", ["==x", "a\\nb'c", ODD])
def test_what_is_for_a_shell_is_quoted_for_every_one(tmp_path: Path, value: str):
    """Rule: as the command has it, which is tried in every shell: fish and zsh read more than `sh` does."""
    line = f"export OS_TOKEN={quoted(value)}\n"
    assert made("env", value) == line
    assert line in made("openrc", value)
    assert filled(tmp_path, "{{ token|shell }}", value) == quoted(value)


def test_an_openrc_has_the_address_of_each_service(tmp_path: Path):
    (tmp_path / "rc").write_text(made("openrc"))
    names = ("OS_AUTH_TYPE", "OS_ENDPOINT", "OS_OBJECT_STORE_ENDPOINT_OVERRIDE", "OS_CLOUD")
    asked = "; ".join(f'echo "${name}"' for name in names)
    told = shell(f"OS_CLOUD=other; . {tmp_path}/rc; {asked}").splitlines()
    assert told == ["admin_token", URL, "https://first/$(id)", ""]
    assert "COMPUTE" not in made("openrc")


def test_a_clouds_yaml_is_one():
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(made("clouds.yaml", ODD)) == {
        "clouds": {
            "default": {
                "auth_type": "admin_token",
                "auth": {"endpoint": URL, "token": ODD},
                "identity_api_version": "3",
                "object_store_endpoint_override": "https://first/$(id)",
            }
        }
    }


@pytest.mark.parametrize("body", [b'{"token": {}}', b'{"token": {"catalog": null}}'])
def test_a_token_without_a_catalog_has_no_addresses(body: bytes):
    assert b"OVERRIDE" not in content(token_file(PATH, form="openrc"), replace(held(), body=body))


# -- templates


def filled(folder: Path, source: str, value: str = "token-1") -> str:
    (folder / "template").write_text(source)
    return content(token_file(PATH, template=folder / "template"), held(value)).decode()


def test_a_template_is_given_the_token_and_what_it_is_for(tmp_path: Path):
    source = (
        "{{ token }} {{ identity }} {{ project.name }} {{ user.id }} {{ roles|join(',') }} {{ expires_at }}\n"
        "{{ auth_url }} {{ catalog[0].type }} {{ key_expires_at is none }}\n"
    )
    assert filled(tmp_path, source) == (
        f"token-1 default shop u1 member 2026-01-01T12:00:00.000000Z\n{URL} identity True\n"
    )


def test_a_template_quotes_for_shells_and_json_and_nothing_by_itself(tmp_path: Path):
    assert shell(f"printf %s {filled(tmp_path, '{{ token|shell }}', ODD)}") == ODD
    assert filled(tmp_path, "{{ token }}", "<&>'") == "<&>'"
    assert json.loads(filled(tmp_path, '{"a": {{ token|tojson }}}', ODD)) == {"a": ODD}


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("a\n{{ nothing }}", "line 2: 'nothing' is undefined"),
        ("a\n\n{% if %}", "line 3: Expected an expression, got 'end of statement block'"),
        ("{{ token|int }}{{ 1 / 0 }}", "line 1: ZeroDivisionError"),
        ("{{ token.__class__.__mro__ }}", "line 1: "),
        ("{% include 'x' %}", "line 1: TypeError"),
        ("{{ project[token] }}", "line 1: 'dict object' has no attribute '***'"),
        ("{{ token.format(**1) }}", "line 1: TypeError"),
        ("{{ range(10 ** 9) }}", "line 1: OverflowError"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_told_by_its_line(tmp_path: Path, source: str, why: str):
    with pytest.raises(SinkError) as caught:
        filled(tmp_path, source, "a-token-without-a-shape")
    assert f"({why}" in str(caught.value), caught.value
    assert str(caught.value).endswith("); correct that line")
    assert "a-token-without-a-shape" not in str(caught.value)


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (lambda path: path.parent, "cannot be read (no such file or directory)"),
        (lambda path: path.mkdir(), "cannot be read (is a directory)"),
        (lambda path: path.write_bytes(b"\xff"), "is not UTF-8 text"),
        (lambda path: path.write_text("x" * 70000), "is larger than 64 KiB"),
        (lambda path: path.write_text(""), "comes to nothing"),
        (lambda path: path.write_text("{{ 'x' * 2000000 }}"), "would be larger than 1024 KiB"),
    ],
)
def test_a_template_that_is_none_is_told_with_its_remedy(tmp_path: Path, write, why: str):
    write(tmp_path / "template")
    with pytest.raises(SinkError, match="; ") as caught:
        content(token_file(PATH, template=tmp_path / "template"), held())
    assert why in str(caught.value)


def test_of_a_template_that_comes_to_far_too_much_the_rest_is_not_made(tmp_path: Path):
    """Loops in loops would take all memory before anybody saw how much it is."""
    source = "{% for a in range(300) %}{% for b in range(1000) %}{{ token }}{% endfor %}{% endfor %}"
    filled(tmp_path, "once, for what is loaded with it")
    tracemalloc.start()
    try:
        with pytest.raises(SinkError, match="larger than 1024 KiB"):
            filled(tmp_path, source, "x" * 100)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_no_access_key_can_be_in_any_of_them():
    """What they are made of does not have it."""
    assert not {"key", "secret"} & set(Token.__dataclass_fields__)


def test_no_template_is_no_engine_for_templates():
    """It would cost every broker megabytes, and its start some time."""
    program = "import sys, broker.app; print('jinja2' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, timeout=30
    )
    assert done.stdout == "False\n"
