"""Where settings come from, and which source wins."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from broker.core.errors import ConfigError
from broker.settings import Iam, Identity, Settings, UnixListener, load, loading
from broker.settings.defaults import SYSTEM_FOLDER, can_be_written, default_socket, versioned

KEY = {"KAKAOCLOUD_APPLICATION_CREDENTIAL_ID": "x", "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET": "canary"}
OPENSTACK = {"OS_APPLICATION_CREDENTIAL_ID": "x", "OS_AUTH_URL": "https://keystone.example/identity/"}
RUN = {"RUNTIME_DIRECTORY": "/run/one:/run/two"}


@pytest.fixture(autouse=True)
def no_standard_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading, "DEFAULT_FILE", tmp_path / "standard.toml")


def file(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def sockets(settings: Settings) -> list[UnixListener]:
    return [listener for listener in settings.listen if isinstance(listener, UnixListener)]


WHOLE = """
[iam]
url = "https://iam.example/identity/v3/"
timeout = "1m"
connect_timeout = 2.5

[[listen]]
unix = "/run/a.sock"
mode = "0660"
group = "0"

[[listen]]
unix = "/run/b.sock"

[identities.default]
keys = ["/etc/keys/default"]

[identities.other-1]
keys = ["/etc/keys/other.toml"]
iam_url = "http://[::1]:5000/v3"

[log]
level = "debug"
format = "console"

[serving]
drain = 0
"""


def test_the_settings_of_the_documentation_can_be_loaded(tmp_path: Path):
    text = (Path(__file__).parents[2] / "docs/configure.md").read_text()
    block = text.partition("## Settings\n\n")[2].partition("\nWith `method")[0]
    # Accounts of the reader's host, not of this one.
    block = block.replace('["app", 1001]', "[1001]").replace('["ops"]', "[50]")
    settings = load(file(tmp_path / "a.toml", block), {})
    assert {field for field in Settings.model_fields if field not in settings.model_fields_set} == set()


def test_a_whole_file(tmp_path: Path):
    settings = load(file(tmp_path / "a.toml", WHOLE), {})
    assert settings.iam == Iam(url="https://iam.example/identity/v3", timeout=60.0, connect_timeout=2.5)
    assert settings.listen[0] == UnixListener.model_validate(
        {"unix": "/run/a.sock", "mode": "0660", "group": "0"}
    )
    assert [listener.mode for listener in sockets(settings)] == [0o660, 0o666]
    assert list(settings.identities) == ["default", "other-1"]
    assert settings.identities["default"] == Identity(keys=("/etc/keys/default",))
    assert settings.iam_of("default") == settings.iam
    assert settings.iam_of("other-1").url == "http://[::1]:5000/v3"
    assert settings.iam_of("other-1").timeout == 60
    assert (settings.log.level, settings.log.format, settings.serving.drain) == ("debug", "console", 0)


def test_the_same_wholly_from_variables(tmp_path: Path):
    variables = {
        "KAKAOCLOUD_BROKER_IAM__URL": "https://iam.example/identity/v3/",
        "KAKAOCLOUD_BROKER_IAM__TIMEOUT": "1m",
        "KAKAOCLOUD_BROKER_IAM__CONNECT_TIMEOUT": "2.5",
        "KAKAOCLOUD_BROKER_LISTEN": (
            '[{"unix": "/run/a.sock", "mode": "0660", "group": "0"}, {"unix": "/run/b.sock"}]'
        ),
        "KAKAOCLOUD_BROKER_IDENTITIES": (
            '{"default": {"keys": ["/etc/keys/default"]}, "other-1": {"keys": ["/etc/keys/other.toml"]}}'
        ),
        "KAKAOCLOUD_BROKER_IDENTITIES__OTHER-1__IAM_URL": "http://[::1]:5000/v3",
        "KAKAOCLOUD_BROKER_LOG__LEVEL": "debug",
        "KAKAOCLOUD_BROKER_LOG": '{"format": "console"}',
        "KAKAOCLOUD_BROKER_SERVING__DRAIN": "0s",
    }
    assert load(None, variables) == load(file(tmp_path / "a.toml", WHOLE), {})


def test_a_variable_wins_over_the_file(tmp_path: Path):
    path = file(tmp_path / "a.toml", WHOLE)
    settings = load(
        path,
        {
            "KAKAOCLOUD_BROKER_IAM__URL": "https://other.example/v3",
            "KAKAOCLOUD_BROKER_IDENTITIES__DEFAULT__KEYS": '["env:"]',
            "KAKAOCLOUD_BROKER_LISTEN": '[{"unix": "/run/c.sock"}]',
        },
    )
    assert settings.iam.url == "https://other.example/v3"
    assert settings.iam.timeout == 60
    assert settings.identities["default"].keys == ("env:",)
    assert [listener.label for listener in settings.listen] == ["/run/c.sock"]


def test_the_file_on_the_command_line_wins_then_the_variable_then_the_standard_one(tmp_path: Path):
    def level(name: str) -> str:
        return f'identities.{name}.keys = ["/k"]\n'

    file(tmp_path / "standard.toml", level("standard"))
    named, argued = (
        file(tmp_path / "named.toml", level("named")),
        file(tmp_path / "argued.toml", level("argued")),
    )
    environ = {**RUN, "KAKAOCLOUD_BROKER_CONFIG": str(named)}
    assert list(load(argued, environ).identities) == ["argued"]
    assert list(load(None, environ).identities) == ["named"]
    assert list(load(None, {**RUN, "KAKAOCLOUD_BROKER_CONFIG": ""}).identities) == ["standard"]


@pytest.mark.parametrize("content", [None, "", "[identities]\n", '[log]\nlevel = "error"\n'])
def test_without_identities_the_key_of_the_environment_is_the_default(tmp_path: Path, content: str | None):
    config = None if content is None else file(tmp_path / "a.toml", content)
    settings = load(config, {**KEY, **RUN})
    assert dict(settings.identities) == {"default": Identity(keys=("env:",))}
    assert [listener.label for listener in settings.listen] == [
        "/run/one/broker.sock",
        "127.0.0.1:9780",
        "[::1]:9780",
    ]
    assert "canary" not in repr(settings)


def test_the_address_of_openstack_goes_with_the_key_of_openstack_only():
    """A key must not be sent to another cloud because its address stood in the shell."""
    settings = load(None, {**OPENSTACK, **RUN})
    assert settings.iam_of("default").url == "https://keystone.example/identity/v3"
    settings = load(None, {**KEY, **RUN, "OS_AUTH_URL": OPENSTACK["OS_AUTH_URL"]})
    assert settings.iam_of("default").url == "https://iam.kakaocloud.com/identity/v3"


@pytest.mark.parametrize(
    "url", ["https://h/identity", "https://h/identity/", "https://h/identity/v3", "https://h/identity/v3/"]
)
def test_the_version_is_added_where_it_is_missing(url: str):
    assert versioned(url) == "https://h/identity/v3"


def test_settings_cannot_be_changed():
    settings = load(None, {**KEY, **RUN})
    with pytest.raises(ValidationError):
        settings.iam.url = "x"
    with pytest.raises(TypeError):
        settings.identities["x"] = Identity(keys=("env:",))  # type: ignore[index]


def test_variables_of_a_service_with_our_name_are_left_alone():
    kubernetes = {"KAKAOCLOUD_BROKER_PORT": "tcp://10.0.0.1:80", "KAKAOCLOUD_BROKER_SERVICE_HOST": "10.0.0.1"}
    assert load(None, {**KEY, **RUN, **kubernetes, "KAKAOCLOUD_BROKER_URL": "unix:///x"}) == load(
        None, {**KEY, **RUN}
    )


@pytest.mark.parametrize(
    ("environ", "usable", "folder"),
    [
        ({"RUNTIME_DIRECTORY": "/run/a:/run/b", "XDG_RUNTIME_DIR": "/run/user/1"}, True, "/run/a"),
        ({"XDG_RUNTIME_DIR": "/run/user/1"}, True, str(SYSTEM_FOLDER)),
        ({"XDG_RUNTIME_DIR": "/run/user/1"}, False, "/run/user/1/kakaocloud-broker"),
        ({"RUNTIME_DIRECTORY": ""}, False, None),
    ],
)
def test_the_socket_goes_where_this_user_may_make_one(
    environ: dict[str, str], usable: bool, folder: str | None
):
    assert default_socket(environ, lambda _: usable) == (Path(folder) / "broker.sock" if folder else None)


def test_whether_a_folder_can_be_made_is_looked_at_and_nothing_is_made(tmp_path: Path):
    assert can_be_written(tmp_path)
    assert can_be_written(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert not can_be_written(tmp_path / "no" / "parent")
    assert not can_be_written(file(tmp_path / "file", ""))


def test_no_folder_for_the_socket(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("broker.settings.defaults.can_be_written", lambda _: False)
    with pytest.raises(ConfigError) as caught:
        load(None, KEY)
    assert str(caught.value) == (
        "listen: has no folder for the default socket; "
        "run this as the user who runs the broker, set RUNTIME_DIRECTORY or XDG_RUNTIME_DIR, or name a socket under [[listen]]"
    )
