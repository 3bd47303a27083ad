"""Log lines: valid, of the level asked for, with every token cut out, and never a local variable."""

import json
import logging
from datetime import datetime
from typing import Any

import pytest
import structlog

from broker.core.secret import Secret
from broker.observability import logs

TOKEN = "gAAAAABmZm9v" + "aZ09-_" * 28 + "=="
LIBRARIES = ("aiohttp.server", "apscheduler.executors.default", "asyncio", "anything.else")


def lines(capture: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was logged, which must be JSON lines and nothing else."""
    out, err = capture.readouterr()
    assert out == ""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in err.splitlines()]


SECRETS = (
    "rHMkBT1rYp-KjI4_uGThE38YalXINX5erBxPLudZ0EMZXB0H14_IMGjcPlYwgRruas0VLLQ4fQ3oI2EzGLTF2Q",
    "553595c627c1d8708c5c4b7e5aae4cfbd9dff168882f3576997dfa4fddf55dd22fb0cd",
)
WORD = "hunter2"


class Odd:
    """Something that is shown by what it holds."""

    def __repr__(self) -> str:
        return f"Odd({TOKEN})"


def fail() -> None:
    password_in_a_variable = "local-canary" + TOKEN
    raise ValueError(f"no good: {TOKEN}") from KeyError(len(password_in_a_variable))


def test_an_event_is_one_json_line_with_time_and_level(capsys: pytest.CaptureFixture[str]):
    logs.configure("info", "json")
    structlog.get_logger().info(
        "served", identity="default", count=3, text='a "quote"\nand \u00e9 \udcff', none=None
    )
    (line,) = lines(capsys)
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() is not None
    assert line == {
        "event": "served",
        "level": "info",
        "identity": "default",
        "count": 3,
        "text": 'a "quote"\nand \u00e9 \udcff',
        "none": None,
    }


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_token_is_cut_at_any_depth(form, capsys: pytest.CaptureFixture[str]):
    logs.configure("debug", form)
    structlog.get_logger().info(
        f"event {TOKEN}",
        text=TOKEN,
        inside=f"<{TOKEN}>{TOKEN}",
        deep={"a": [{"b": (TOKEN, {"c": {TOKEN}})}]},
        key={TOKEN: 1, "n": {TOKEN: 2}},
        raw=TOKEN.encode(),
        odd=Odd(),
        error=ValueError(TOKEN),
        secret=Secret(TOKEN),
        **{f"name {TOKEN}": 1},
    )
    _, err = capsys.readouterr()
    assert "gAAAAA" not in err
    assert "aZ09" not in err
    assert err.count("***") >= 13
    assert err.count("\n") == 1


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("secret", SECRETS)
def test_an_access_secret_is_cut_too(form, secret: str, capsys: pytest.CaptureFixture[str]):
    """In values, names, tracebacks, ours and the libraries'."""
    logs.configure("debug", form)
    structlog.get_logger().info(
        secret, text=f"<{secret}>", deep=[{secret: (secret,)}], **{f"name {secret}": 1}
    )
    logging.getLogger("aiohttp.server").warning("handling %s of %r", secret, {"a": secret})
    for log in (structlog.get_logger(), logging.getLogger("asyncio")):
        log.error("it failed", exc_info=ValueError(secret))
    _, err = capsys.readouterr()
    assert secret[:20] not in err
    assert err.count("***") >= 8


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_a_name_announces_is_cut_whatever_its_shape(form, capsys: pytest.CaptureFixture[str]):
    logs.configure("debug", form)
    structlog.get_logger().info(
        f"{{'secret': '{WORD}'}}",
        headers={"X-Auth-Token": WORD, "x-subject-token": WORD, "Host": "stays"},
        secret=WORD,
        raw=f"X-Auth-Token: {WORD}".encode(),
        proxy=f"http://robot:{WORD}@proxy:3128",
    )
    logging.getLogger("aiohttp.client").warning("sent %r", [("X-Subject-Token", WORD)])
    _, err = capsys.readouterr()
    assert WORD not in err
    assert "stays" in err


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("name", LIBRARIES)
def test_the_lines_of_libraries_go_the_same_way(form, name: str, capsys: pytest.CaptureFixture[str]):
    logs.configure("debug", form)
    logging.getLogger(name).warning("handling %s of %r", TOKEN, {"a": TOKEN})
    try:
        fail()
    except ValueError:
        logging.getLogger(name).exception("it failed: %s", TOKEN)
    _, err = capsys.readouterr()
    assert "gAAAAA" not in err
    assert "handling *** of {'a': '***'}" in err
    assert "no good: ***" in err


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_shows_its_lines_but_no_local_variable_and_no_token(
    form, capsys: pytest.CaptureFixture[str]
):
    logs.configure("debug", form)
    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("defect")
    _, err = capsys.readouterr()
    assert "ValueError: no good: ***" in err
    assert "KeyError" in err
    assert "in fail" in err
    assert "local-canary" not in err.replace('"local-canary" + TOKEN', "").replace(
        '\\"local-canary\\" + TOKEN', ""
    )
    assert "gAAAAA" not in err
    if form == "json":
        assert json.loads(err)["event"] == "defect"


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_line_that_cannot_be_formatted_is_not_shown_raw(form, capsys: pytest.CaptureFixture[str]):
    """The standard library would print the message with its arguments, past the redaction."""
    logs.configure("debug", form)
    logging.getLogger("aiohttp.server").warning("%d items", TOKEN)
    out, err = capsys.readouterr()
    assert "gAAAAA" not in out + err


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_only_the_level_asked_for_is_told(level: str, told: list[str], capsys: pytest.CaptureFixture[str]):
    logs.configure(level, "json")
    for each in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger(), each)("ours")
        getattr(logging.getLogger("theirs"), each)("theirs")
    assert [line["level"] for line in lines(capsys)] == [each for each in told for _ in range(2)]


@pytest.mark.parametrize("level", ["debug", "info", "error"])
def test_the_routine_of_libraries_is_no_news_at_any_level(level: str, capsys: pytest.CaptureFixture[str]):
    logs.configure(level, "json")
    for name in ("apscheduler.scheduler", "asyncio", "aiohttp.access"):
        logging.getLogger(name).info("routine")
        logging.getLogger(name).debug("routine")
    assert lines(capsys) == []


def test_the_console_form_is_for_people_one_line_an_event(capsys: pytest.CaptureFixture[str]):
    """Nothing that a stranger put into a text may look like another line or move the cursor."""
    logs.configure("info", "console")
    structlog.get_logger().info("request_defect", route="/a\nINFO fake\x1b[2J")
    _, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "\x1b" not in err
    assert "request_defect" in err
    assert "route=" in err


def test_configuring_again_doubles_nothing(capsys: pytest.CaptureFixture[str]):
    logs.configure("info", "json")
    logs.configure("info", "json")
    structlog.get_logger().info("once")
    assert len(lines(capsys)) == 1


def test_the_level_of_a_running_broker_is_changed(capsys: pytest.CaptureFixture[str]):
    """Loggers that were there before follow, and the libraries keep their floor in both directions."""
    logs.configure("info", "json")
    ours, library = structlog.get_logger(), logging.getLogger("aiohttp.access")
    told = []
    for level in ("error", "debug", "warning"):
        logs.set_level(level)
        for each in ("debug", "info", "warning", "error"):
            getattr(ours, each)("ours")
            getattr(library, each)("theirs")
        told.append([f"{line['level']} {line['event']}" for line in lines(capsys)])
    both = ["warning ours", "warning theirs", "error ours", "error theirs"]
    assert told == [both[2:], ["debug ours", "info ours", *both], both]
