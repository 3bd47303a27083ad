"""`broker check`: all problems, or what the settings come to, and never a secret."""

import json
from pathlib import Path

import pytest

from broker.cli.check import summary
from broker.core.model import KeyById, KeyByName
from broker.core.secret import Secret
from broker.settings import Settings
from broker.settings.cautions import cautions, same_keys
from tests.app.whole import key_folder
from tests.cli.command import Ended, broker

CANARY = "canary-secret-of-the-key"
WHOLE = {
    "listen": [
        {"unix": "/nowhere/s", "identities": ["shop"]},
        {"tcp": "127.0.0.1:9780"},
        {"tcp": "0.0.0.0:9781", "serve": ["health", "metrics"]},
    ],
    "identities": {
        "default": {"keys": ["/k", "/l.toml"]},
        "shop": {"keys": ["env:"], "iam_url": "https://other.example/v3"},
        "spare": {"keys": ["/s"]},
    },
    "grants": [
        {"identity": "default", "users": ["root", 1001], "groups": [50]},
        {"identity": "default", "users": [1002], "listeners": ["127.0.0.1:9780"]},
        {"identity": "shop", "any": True, "listeners": ["/nowhere/s"]},
    ],
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A file without a fault."""
    key_folder(tmp_path / "keys", "an-id", CANARY)
    path = tmp_path / "broker.toml"
    path.write_text(
        f'[identities.default]\nkeys = ["{tmp_path}/keys"]\n[[listen]]\nunix = "{tmp_path}/s"\n'
        '[[grants]]\nidentity = "default"\nusers = [1001]\n'
    )
    return path


def extend(config: Path, addition: str) -> None:
    config.write_text(config.read_text() + addition)


async def checked(config: Path, **environ: str) -> Ended:
    ended = await broker("check", "--config", str(config), **environ)
    assert CANARY not in ended.out + ended.err
    return ended


async def test_a_good_file(config: Path, tmp_path: Path):
    ended = await checked(config)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        f"Good: {config}",
        "Listeners:",
        f"  {tmp_path}/s: tokens, health, metrics",
        "Identities:",
        f"  default: key from {tmp_path}/keys; IAM at https://iam.kakaocloud.com/identity/v3",
        "Audit trail: stdout",
        "Who may read:",
        "  default: user 1001 on all listeners",
    ]
    assert not (tmp_path / "s").exists()


async def test_the_environment_alone(tmp_path: Path):
    ended = await broker(
        "check",
        RUNTIME_DIRECTORY=str(tmp_path),
        KAKAOCLOUD_BROKER_IDENTITIES='{"default": {"keys": ["env:"]}}',
        KAKAOCLOUD_BROKER_GRANTS=json.dumps([{"identity": "default", "users": [0]}]),
        KAKAOCLOUD_APPLICATION_CREDENTIAL_ID="an-id",
        KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET=CANARY,
    )
    assert CANARY not in ended.out + ended.err
    assert ended.code == 0
    assert ended.out.splitlines()[:5] == [
        "Good: no file, the environment alone",
        "Listeners:",
        f"  {tmp_path}/broker.sock: tokens, health, metrics",
        "  127.0.0.1:9780: tokens, health, metrics; requests need the header Metadata: true",
        (
            "  [::1]:9780: tokens, health, metrics; where the host has that address; "
            "requests need the header Metadata: true"
        ),
    ]
    assert ended.err.splitlines() == [
        (
            "warning: identities.default.keys: a key from env: cannot be reloaded; "
            "name a directory or a file, which can be corrected"
        ),
        (
            "warning: grants[0].users[0]: grants to root, also to that of a container which reaches the listener; "
            "grant to a user of its own"
        ),
    ]


async def test_a_key_of_systemds_credentials_is_not_missed_and_its_renewal_is_explained(config: Path):
    """Before the first start nobody can read it, and a reload would not read another one."""
    key = "/run/credentials/none.service/default.toml"
    ended = await checked(config, KAKAOCLOUD_BROKER_IDENTITIES__DEFAULT__KEYS=f'["{key}"]')
    assert (ended.code, ended.err) == (
        0,
        f"warning: {key}: was not looked at: systemd makes it for the unit alone, while that runs; once it runs, run this as root\n",
    )
    assert "put the next key beside it, not over it, and run systemctl restart" in ended.out


async def test_a_key_of_systemds_credentials_that_can_be_read_is_judged(config: Path, tmp_path: Path):
    (tmp_path / "keys/secret").write_text("")
    ended = await checked(config, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert ended.code == 78
    assert f"{tmp_path}/keys/secret" in ended.err


async def test_a_variable_that_is_nearly_a_setting_is_a_warning(config: Path):
    ended = await checked(
        config, KAKAOCLOUD_BROKER_GRANT=CANARY, KAKAOCLOUD_BROKER_PORT="tcp://10.0.0.1:9780"
    )
    name = "KAKAOCLOUD_BROKER_GRANT"
    assert (ended.code, ended.err) == (
        0,
        f"warning: {name}: is not read, for it is no setting; did you mean {name}S?\n",
    )


@pytest.mark.parametrize(
    ("addition", "mode", "told"),
    [
        (
            '[log]\nlevle = "x"\n[iam]\nurl = "ftp://x"\n',
            0o600,
            [
                "F/broker.toml, iam.url: ",
                "F/broker.toml, log.levle: is not a known setting; did you mean `log.level`?",
            ],
        ),
        ("", 0o644, ["F/keys/secret: can be read by every user of this host; run: chmod 0640 F/keys/secret"]),
        (
            '[identities.other]\nkeys = ["/no/such/key"]\n',
            0o644,
            ["F/keys/secret: can be read by every user of this host; ", "/no/such/key: does not exist; "],
        ),
        (
            '[identities.other]\nkeys = ["/no/such/key", "/no/such/second.toml"]\n',
            0o600,
            ["/no/such/key: does not exist; ", "/no/such/second.toml: does not exist; "],
        ),
    ],
)
async def test_every_problem_is_a_line(
    config: Path, tmp_path: Path, addition: str, mode: int, told: list[str]
):
    extend(config, addition)
    (tmp_path / "keys/secret").chmod(mode)
    ended = await checked(config)
    assert (ended.code, ended.out) == (78, "")
    lines = ended.err.replace(str(tmp_path), "F").splitlines()
    assert len(lines) == len(told)
    assert all(line.startswith(f"broker: {start}") for line, start in zip(lines, told, strict=True)), lines


async def test_run_refuses_in_the_same_words(config: Path):
    extend(config, "groups = [-1]\n[zzz]\n")
    run = await broker("run", "--config", str(config))
    assert (run.code, run.err) == (78, (await checked(config)).err)


def test_the_summary_tells_each_listener_identity_and_grant():
    settings = Settings.model_validate(WHOLE)
    assert list(summary(settings, Path("/f"), {})) == [
        "Good: /f",
        "Listeners:",
        "  /nowhere/s: tokens, health, metrics; identities shop alone",
        "  127.0.0.1:9780: tokens, health, metrics; requests need the header Metadata: true",
        "  0.0.0.0:9781: health, metrics",
        "Identities:",
        "  default: keys from /k, then /l.toml; IAM at https://iam.kakaocloud.com/identity/v3",
        "  shop: key from env:; IAM at https://other.example/v3",
        "  spare: key from /s; IAM at https://iam.kakaocloud.com/identity/v3",
        "Audit trail: stdout",
        "Who may read:",
        "  default: users root (0), 1001, group 50 on all listeners",
        "  default: user 1002 on 127.0.0.1:9780",
        "  shop: whoever connects on /nowhere/s",
        "  spare: nobody",
    ]


def test_without_grants_the_owners_rule_is_told():
    settings = Settings.model_validate({key: value for key, value in WHOLE.items() if key != "grants"})
    assert list(summary(settings, None, {}))[-1] == (
        "  no grants: the broker's own user, and over a Unix socket root of this host (of no container), "
        "read every identity; nobody else"
    )


@pytest.mark.parametrize(("mode", "doubted"), [(0o777, True), (0o1777, False), (0o755, False)])
def test_a_folder_in_which_everyone_may_replace_the_socket(tmp_path: Path, mode: int, doubted: bool):
    tmp_path.chmod(mode)
    tree = {"listen": [{"unix": f"{tmp_path}/s"}], "identities": {"default": {"keys": ["/k"]}}}
    told = [str(doubt) for doubt in cautions(Settings.model_validate(tree))]
    what = f"whoever can write to {tmp_path} can put a socket of their own in its place; run: chmod o-w {tmp_path}"
    assert told == ([f"listen[0].unix: {what}"] if doubted else [])


def test_what_else_is_doubted():
    tree = {
        **WHOLE,
        "iam": {"insecure": True},
        "grants": [{"identity": "default", "groups": [65534]}],
        "validation": {"method": "off"},
        "s3": {"duration": "15m"},
    }
    assert [str(doubt) for doubt in cautions(Settings.model_validate(tree))] == [
        "iam.insecure: lets access keys and tokens travel unencrypted; remove it where IAM is real",
        (
            "identities.shop.keys: a key from env: cannot be reloaded; "
            "name a directory or a file, which can be corrected"
        ),
        (
            "validation.method: a token that was revoked is served until a client reports it "
            'or its successor is due; choose "auth-tokens" or "projects"'
        ),
        (
            "s3.duration: AWS clients ask for others 15 minutes before the end, and so at each call; "
            'write at least "20m"'
        ),
        (
            "grants[0].groups[0]: is also what callers of foreign user namespaces look like; "
            "grant to a user of its own"
        ),
    ]


SAME = "both sources hold the same key, so that none takes over when it dies"
WRONG = "both sources hold the same key with different secrets, of which one is wrong"


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (KeyById("a", Secret(CANARY)), SAME),
        (KeyById("a", Secret("another")), WRONG),
        (KeyById("b", Secret("another")), None),
        (KeyByName("a", "u", Secret("another")), None),
    ],
)
def test_two_sources_of_one_key(second: KeyById | KeyByName, told: str | None):
    keys = {"lone": [second], "pair": [KeyById("a", Secret(CANARY)), second]}
    sentence = f"identities.pair.keys: {told}; put another key of the project into one of them"
    assert [str(doubt) for doubt in same_keys(keys)] == ([sentence] if told else [])


async def test_a_second_key_is_read_and_compared(config: Path, tmp_path: Path):
    second = key_folder(tmp_path / "second", "an-id", CANARY)
    extend(config, f'[identities.pair]\nkeys = ["{tmp_path}/keys", "{second}"]\n')
    ended = await checked(config)
    assert ended.code == 0
    assert f"  pair: keys from {tmp_path}/keys, then {second}; IAM at" in ended.out
    assert ended.err.startswith(f"warning: identities.pair.keys: {SAME}; ")
