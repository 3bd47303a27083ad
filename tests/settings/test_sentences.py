"""Broken configurations, and the exact sentences they get; `F` stands for the file."""

import os
from pathlib import Path

import pytest

from broker.settings import load, loading
from tests.settings.broken import CANARY, GOOD, sentences, told_of

P = "KAKAOCLOUD_BROKER_"
EXPORT = "export KAKAOCLOUD_APPLICATION_CREDENTIAL_ID and KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET"
OWN_FILES = "write the key into files of its own and name their directory in `keys`"
DURATION = 'write it like 90, "90s", "15m", "12h" or "2d"'
NOT_FILE = "is not the absolute path of a file; begin with / and do not end with it"
NOT_SOURCE = "is not a source of keys; give the absolute path of a directory, *.toml or *.json, or env:"
KNOWN = "known here: iam, listen, identities, grants, refresh, validation, cache, log, serving, s3, files"
NOT_HOST = "is not a host name or an address; write it without scheme, port, path or pattern"
NOT_SO_MANY = "is out of bounds; choose a number between 64 and 1000000"
MISPLACED = (
    "keep keys in files of their own, named in the `keys` of an identity, and replace this one: "
    "whoever may read the settings has it"
)
NOT_NAME = "is not a name for an identity; use at most 63 of a-z, 0-9 and -, and begin with a letter or digit"


@pytest.fixture(autouse=True)
def no_standard_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading, "DEFAULT_FILE", tmp_path / "standard.toml")


FILES = [
    ('[iam]\nurll = "x"\n', ["F, iam.urll: is not a known setting; did you mean `iam.url`?"]),
    ("[lgo]\n", ["F, lgo: is not a known setting; did you mean `log`?"]),
    (
        "[zzzzzzzz]\n",
        [f"F, zzzzzzzz: is not a known setting; {KNOWN}"],
    ),
    (
        '[_env_file]\nx = "x"\n',
        ["F, _env_file: is not a known setting; did you mean `files`?"],
    ),
    (
        f'[iam]\n"{CANARY * 9}" = 1\n',
        [
            (
                "F, iam.(a name too odd to show): is not a known setting; "
                "known here: url, ca_file, insecure, timeout, connect_timeout"
            )
        ],
    ),
    ("[files]\n", ["F, files: is not a list; write it in brackets, or as [[...]] where it holds tables"]),
    ("[[files]]\n", ["F, files[0].path: is missing; add it"]),
    *[
        (
            f'[log]\naudit = "{word}"\n',
            [
                (
                    "F, log.audit: is no place for the audit trail; "
                    'choose "stdout", "journald" or "off", or give the absolute path of a file'
                )
            ],
        )
        for word in ("", "syslog", "Stdout", "audit.log", "./off")
    ],
    ('[log]\naudit = "/var/log/"\n', [f"F, log.audit: {NOT_FILE}"]),
    ("[log]\naudit = false\n", ["F, log.audit: is not text; put the value in quotes"]),
    (
        '[serving]\nhosts = ["a.b", "b:80", "http://b", "*.b", "", 3]\n',
        [
            *[f"F, serving.hosts[{index}]: {NOT_HOST}" for index in (1, 2, 3, 4)],
            "F, serving.hosts[5]: is not text; put the value in quotes",
        ],
    ),
    ("[[listen]]\nunix = 1\n", ["F, listen[1].unix: is not text; put the value in quotes"]),
    (
        "[serving]\nlane = 3\n",
        ["F, serving.lane: is neither true nor false; write true or false, without quotes in a file"],
    ),
    ("[serving]\nconnections = 63\n", [f"F, serving.connections: {NOT_SO_MANY}"]),
    ("[serving]\nconnections = true\n", ["F, serving.connections: is not a whole number; write it like 64"]),
    ("[[listen]]\n", ["F, listen[1]: names neither `unix` nor `tcp`; give one of the two"]),
    ('[[listen]]\nunix = "/s"\n', ["F, listen: names one socket twice; keep one of the two"]),
    ('[[listen]]\nunix = "//./s"\n', ["F, listen: names one socket twice; keep one of the two"]),
    *[
        (
            f'[[listen]]\nunix = "{path}"\n',
            [
                "F, listen[1].unix: leads through `..`, and a socket goes by one name; write the path without .."
            ],
        )
        for path in ("/x/../s", "/../s", "/x/..")
    ],
    ('[[listen]]\nunix = "s"\n', [f"F, listen[1].unix: {NOT_FILE}"]),
    (
        f'[[listen]]\nunix = "/{"s" * 107}"\n',
        ["F, listen[1].unix: is longer than 107 bytes; the kernel takes no longer path for a socket"],
    ),
    (
        '[[listen]]\nunix = "/t"\nmode = 0o666\n',
        ['F, listen[1].mode: is a number; write the mode as text, like "0660"'],
    ),
    (
        '[[listen]]\nunix = "/t"\nmode = "u+rw"\n',
        ['F, listen[1].mode: is not a file mode; write it like "0660"'],
    ),
    (
        '[[listen]]\nunix = "/t"\ngroup = "no such group"\n',
        ["F, listen[1].group: is no group of this host; create the group, or give its name or number"],
    ),
    ('[iam]\ntimeout = "500ms"\n', [f"F, iam.timeout: is not a duration; {DURATION}"]),
    ("[iam]\ntimeout = 0\n", ["F, iam.timeout: is out of bounds; choose a duration between 0.1s and 5m"]),
    ("[iam]\ntimeout = nan\n", [f"F, iam.timeout: is not a duration; {DURATION}"]),
    ("[serving]\ndrain = true\n", [f"F, serving.drain: is not a duration; {DURATION}"]),
    (
        '[serving]\ndrain = "2h"\n',
        ["F, serving.drain: is out of bounds; choose a duration between 0s and 1h"],
    ),
    (
        '[iam]\ninsecure = "perhaps"\n',
        ["F, iam.insecure: is neither true nor false; write true or false, without quotes in a file"],
    ),
    ("[iam]\nurl = 1\n", ["F, iam.url: is not text; put the value in quotes"]),
    (
        '[s3]\nregion = "KR"\n',
        ["F, s3.region: is not a region; write it like kr-central-2: at most 63 of a-z, 0-9 and -"],
    ),
    ("[s3]\nduration = 30\n", ["F, s3.duration: is out of bounds; choose a duration between 1m and 12h"]),
    (
        '[s3]\nurl = "http://s3.example/"\n',
        ["F, s3.url: would send tokens unencrypted; use https://, or set iam.insecure for a test"],
    ),
    (
        f'[s3]\nurl = "https://u:{CANARY}@s3.example"\n',
        ["F, s3.url: holds a user or a password; remove everything before the @"],
    ),
    (
        '[s3]\nurl = "https://{region}.example"\n',
        [
            (
                "F, s3.url: lets callers choose the host; "
                "write {region} as one part of its name before the last two, or in the path"
            )
        ],
    ),
    (
        '[s3]\nurl = "https://s3.{zone}.example"\n',
        ["F, s3.url: holds braces; of those only {region} may stand in it, once"],
    ),
    ("[s3]\nregoin = 1\n", ["F, s3.regoin: is not a known setting; did you mean `s3.region`?"]),
    (
        '[iam]\nurl = "http://iam.example/v3"\n',
        ["F, iam.url: would send access keys unencrypted; use https://, or set iam.insecure for a test"],
    ),
    (
        f'[iam]\nurl = "https://u:{CANARY}@iam.example/v3"\n',
        ["F, iam.url: holds a user or a password; remove everything before the @"],
    ),
    (
        '[iam]\nca_file = "/no/such/file"\n',
        ["F, iam.ca_file: does not exist; create it or correct the path"],
    ),
    (
        '[log]\nlevel = "loud"\n',
        [("F, log.level: is not one of the words known here; choose 'debug', 'info', 'warning' or 'error'")],
    ),
    ('[identities.UP]\nkeys = ["/k"]\n', [f"F, identities.UP: {NOT_NAME}"]),
    (f'[identities.{"a" * 64}]\nkeys = ["/k"]\n', [f"F, identities.(a name too odd to show): {NOT_NAME}"]),
    ("[identities.a]\n", ["F, identities.a.keys: is missing; add it"]),
    (
        "[identities.a]\nkeys = []\n",
        ["F, identities.a.keys: names no key; give one source of a key, or two in order of preference"],
    ),
    (f'[identities.a]\nkeys = ["{CANARY}"]\n', [f"F, identities.a.keys[0]: {NOT_SOURCE}"]),
    (
        f'[identities.a]\nkeys = "{CANARY}"\n',
        ["F, identities.a.keys: is not a list; write it in brackets, or as [[...]] where it holds tables"],
    ),
    (
        f'[identities.a]\nkeys = ["/k"]\nsecret = "{CANARY}"\n',
        [f"F, identities.a.secret: is not a known setting; {OWN_FILES}"],
    ),
    (
        '[identities.a]\nkeys = ["/k"]\niam_url = "ftp://x"\n',
        [
            (
                "F, identities.a.iam_url: is not an https:// address in plain ASCII; "
                "write it like https://iam.kakaocloud.com/identity/v3"
            )
        ],
    ),
    (
        '[identities.a]\nkeys = ["/k"]\ns3_url = "http://s3.example"\n',
        [
            "F, identities.a.s3_url: would send tokens unencrypted; use https://, or set iam.insecure for a test"
        ],
    ),
    (
        '[identities.a]\nkeys = ["/k"]\niam_url = "https://iam.example/v3"\n[s3]\nurl = "https://s3.example"\n',
        [
            (
                "F, s3.url: would be sent the tokens of more than one IAM; "
                "take it out, and write s3_url into the identities whose tokens may go there"
            )
        ],
    ),
]


@pytest.mark.parametrize(("addition", "told"), FILES)
def test_a_broken_file(tmp_path: Path, addition: str, told: list[str]):
    assert told_of(addition, tmp_path) == told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'a = 1\n[log\nlevel = "canary-secret"', "F: is not TOML (line 2, column 5); correct the line"),
        (b'a = "canary-secret', "F: is not TOML (it ends too early); correct the line"),
        (b"a = '\xff'", "F: is not UTF-8 text; save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_toml(tmp_path: Path, content: bytes, told: str):
    path = tmp_path / "broker.toml"
    path.write_bytes(content)
    assert sentences(path, {}, path) == [told]


def test_a_named_file_must_be_there(tmp_path: Path):
    path = tmp_path / "gone.toml"
    told = ["F: does not exist; create it or correct the path"]
    assert sentences(path, {}, path) == told
    assert sentences(None, {f"{P}CONFIG": str(path)}, path) == told
    assert sentences(tmp_path, {}, tmp_path) == ["F: is a directory; name a file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(tmp_path: Path):
    path = tmp_path / "broker.toml"
    path.touch(0)
    told = f"F: may not be read by uid {os.geteuid()}; let this user read it and enter every folder above it"
    assert sentences(path, {}, path) == [told]


@pytest.mark.parametrize("word", ["true", "True", "1", "yes", "on"])
def test_insecure_is_believed_in_every_word_that_the_tree_takes_for_true(tmp_path: Path, word: str):
    path = tmp_path / "broker.toml"
    path.write_text(GOOD)
    assert load(path, {f"{P}IAM__INSECURE": word, f"{P}IAM__URL": "http://h/v3"}).iam.insecure


def test_no_key_anywhere(tmp_path: Path):
    run = {"RUNTIME_DIRECTORY": "/run/x"}
    standard = tmp_path / "standard.toml"
    remedy = f'{EXPORT}, or write [identities.default] with keys = ["/..."] into F'
    assert sentences(None, run, standard) == [f"identities: names no access key; {remedy}"]
    path = tmp_path / "broker.toml"
    path.write_text("[log]\n")
    assert sentences(path, run, path) == [f"F, identities: names no access key; {remedy}"]


def test_openstacks_address_is_judged_too(tmp_path: Path):
    environ = {
        "OS_APPLICATION_CREDENTIAL_ID": "x",
        "OS_AUTH_URL": "http://h:5000",
        "RUNTIME_DIRECTORY": "/run/x",
    }
    told = "OS_AUTH_URL: would send access keys unencrypted; use https://, or set iam.insecure for a test"
    assert sentences(None, environ, tmp_path) == [told]


def test_every_problem_is_told_at_once(tmp_path: Path):
    path = tmp_path / "broker.toml"
    path.write_text('[lgo]\n[iam]\nurl = "http://h"\ntimeout = "x"\n[identities.a]\n[log]\nformat = 1\n')
    told = sentences(path, {f"{P}LISTEN": "{", f"{P}SERVING__DRIAN": "1"}, path)
    assert [line.partition(": ")[0] for line in told] == [
        f"{P}LISTEN",
        "F, lgo",
        "F, iam.url",
        "F, iam.timeout",
        "F, identities.a.keys",
        "F, log.format",
        f"{P}SERVING__DRIAN",
    ]


SECRET = "rHMkBT1rYp-KjI4_uGThE38YalXINX5erBxPLudZ0EMZXB0H14_IMGjcPlYwgRruas0VLLQ4fQ3oI2EzGLTF2Q"
HEX = "553595c627c1d8708c5c4b7e5aae4cfbd9dff168882f3576997dfa4fddf55dd22fb0cd"
TOKEN = "gAAAAABmZm9v" + "aZ09-_" * 28 + "=="


@pytest.mark.parametrize("secret", [SECRET, HEX, TOKEN])
@pytest.mark.parametrize(
    ("addition", "where"),
    [
        ('[iam]\nca_file = "/etc/X"\n', "iam.ca_file"),
        ('[iam]\nurl = "https://iam/X"\n', "iam.url"),
        ('[identities.shop]\nkeys = ["/k"]\nsecret = "X"\n', "identities.shop.secret"),
        ('[identities.shop]\nkeys = ["/etc/X"]\n', "identities.shop.keys[0]"),
        ('[identities.shop]\nkeys = ["X"]\n', "identities.shop.keys[0]"),
        ('[[grants]]\nidentity = "default"\nusers = ["X"]\n', "grants[0].users[0]"),
        ('[cache]\npath = "/var/X"\n', "cache.path"),
        ('[log]\naudit = "/var/X"\n', "log.audit"),
        ('[serving]\nhosts = ["X"]\n', "serving.hosts[0]"),
    ],
)
def test_what_looks_like_a_secret_is_one_sentence_and_not_shown(
    secret: str, addition: str, where: str, tmp_path: Path
):
    told = [line for line in told_of(addition.replace("X", secret), tmp_path) if where in line]
    assert told == [f"F, {where}: looks like a secret; {MISPLACED}"]


def test_a_secret_in_a_variable_is_told_by_its_name(tmp_path: Path):
    path = tmp_path / "broker.toml"
    path.write_text(GOOD)
    environ = {f"{P}IDENTITIES__SHOP__SECRET": HEX, f"{P}LISTEN": f'[{{"unix": "/{TOKEN}"}}]'}
    told = sentences(path, environ, path)
    for where in (f"{P}IDENTITIES__SHOP__SECRET", f"{P}LISTEN, listen[0].unix"):
        assert [line for line in told if where in line] == [f"{where}: looks like a secret; {MISPLACED}"]
    assert TOKEN not in str(told)
    assert HEX not in str(told)
