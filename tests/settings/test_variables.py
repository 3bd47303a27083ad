"""Broken variables, and the exact sentences they get."""

from pathlib import Path

import pytest

from broker.settings.variables import near_misses
from tests.settings.broken import CANARY, GOOD, sentences

P = "KAKAOCLOUD_BROKER_"
DURATION = 'write it like 90, "90s", "15m", "12h" or "2d"'
NOT_FILE = "is not the absolute path of a file; begin with / and do not end with it"
NOT_HOST = "is not a host name or an address; write it without scheme, port, path or pattern"


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({f"{P}IAM__URLL": CANARY}, f"{P}IAM__URLL: is not a known setting; did you mean {P}IAM__URL?"),
        ({f"{P}IMA__URL": CANARY}, f"{P}IMA__URL: is not a known setting; did you mean {P}IAM__URL?"),
        (
            {f"{P}FILES__PATH": "/t"},
            f'{P}FILES__PATH: sets a part of a list, which is set whole; set {P}FILES=\'[{{"path": "/..."}}]\'',
        ),
        (
            {f"{P}CACHE__PTAH": CANARY},
            f"{P}CACHE__PTAH: is not a known setting; did you mean {P}CACHE__PATH?",
        ),
        (
            {f"{P}VALIDATION__EVREY": CANARY},
            f"{P}VALIDATION__EVREY: is not a known setting; did you mean {P}VALIDATION__EVERY?",
        ),
        (
            {f"{P}IDENTITIES__DEFAULT__KEY_EXPIRES_AT": '["", ""]'},
            (
                f"{P}IDENTITIES__DEFAULT__KEY_EXPIRES_AT: does not have one entry for each key; "
                'write a list as long as `keys`, like ["2027-01-31T00:00:00Z", ""] where one is not known'
            ),
        ),
        (
            {f"{P}IDENTITIES__DEFAULT__KEY_EXPIRES_AT": "["},
            (
                f"{P}IDENTITIES__DEFAULT__KEY_EXPIRES_AT: is not JSON (line 1, column 2); "
                "lists and tables are written as JSON"
            ),
        ),
        (
            {f"{P}IDENTITIES__DEFAULT__KEY_EXPIRES_AT": CANARY},
            f"{P}IDENTITIES__DEFAULT__KEY_EXPIRES_AT: is not a moment; write it like 2027-01-31T00:00:00Z",
        ),
        (
            {f"{P}SERVING__CONNECTIONS": "many"},
            f"{P}SERVING__CONNECTIONS: is not a whole number; write it like 64",
        ),
        (
            {f"{P}LISTEN": "[{"},
            f"{P}LISTEN: is not JSON (line 1, column 3); lists and tables are written as JSON",
        ),
        (
            {f"{P}LISTEN": "[" * 50_000},
            f"{P}LISTEN: is not JSON; lists and tables are written as JSON",
        ),
        ({f"{P}LISTEN": "[]"}, f"{P}LISTEN: names no listener; give one, or leave it out for the default"),
        (
            {f"{P}LISTEN__0__UNIX": "/s"},
            (
                f"{P}LISTEN__0__UNIX: sets a part of a list, which is set whole; "
                f"""set {P}LISTEN='[{{"unix": "/..."}}]'"""
            ),
        ),
        (
            {f"{P}GRANTS__0__USERS": '["app"]'},
            (
                f"{P}GRANTS__0__USERS: sets a part of a list, which is set whole; "
                f"""set {P}GRANTS='[{{"identity": "default", "users": ["app"]}}]'"""
            ),
        ),
        ({f"{P}SERVING__HOSTS": '["*"]'}, f"{P}SERVING__HOSTS, serving.hosts[0]: {NOT_HOST}"),
        (
            {f"{P}SERVING__HOSTS": "broker.internal"},
            f"{P}SERVING__HOSTS: is not JSON (line 1, column 1); lists and tables are written as JSON",
        ),
        (
            {f"{P}REFRESH__LATTEST": "0.5"},
            f"{P}REFRESH__LATTEST: is not a known setting; did you mean {P}REFRESH__LATEST?",
        ),
        (
            {f"{P}GRANTS": '[{"identity": "nobody-has-it", "users": [1]}]'},
            (
                f"{P}GRANTS, grants[0].identity: is no identity of this configuration; "
                "correct the name, or add [identities.NAME]"
            ),
        ),
        ({f"{P}LISTEN": '[{"unix": "s"}]'}, f"{P}LISTEN, listen[0].unix: {NOT_FILE}"),
        (
            {f"{P}IAM__URL__X": "x"},
            f"{P}IAM__URL__X: goes deeper than any setting; remove __X",
        ),
        ({f"{P}IAM": "1"}, f"{P}IAM: is not a table; write it as a table of settings"),
        ({f"{P}SERVING__DRAIN": ""}, f"{P}SERVING__DRAIN: is not a duration; {DURATION}"),
        (
            {f"{P}IDENTITIES__DEFAULT__KEYS": "/k"},
            f"{P}IDENTITIES__DEFAULT__KEYS: is not JSON (line 1, column 1); lists and tables are written as JSON",
        ),
        (
            {f"{P}IAM__INSECURE": "no", f"{P}IAM__URL": "http://iam.example/v3"},
            f"{P}IAM__URL: would send access keys unencrypted; use https://, or set iam.insecure for a test",
        ),
    ],
)
def test_a_broken_variable(tmp_path: Path, environ: dict[str, str], told: str):
    path = tmp_path / "broker.toml"
    path.write_text(GOOD)
    assert sentences(path, environ, path) == [told]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GRANT", "GRANTS"),
        ("LISTENERS", "LISTEN"),
        ("IDENTITY", "IDENTITIES"),
        ("IAM_URL", "IAM__URL"),
        ("LOG_LEVLE", "LOG__LEVEL"),
        ("VALIDATION_METHOD", "VALIDATION__METHOD"),
        ("CACHE_PATH", "CACHE__PATH"),
    ],
)
def test_a_variable_that_is_nearly_a_setting_is_told(name: str, meant: str):
    """It is not read, so that nobody believes in a grant that is not there."""
    told = [str(problem) for problem in near_misses({P + name: CANARY, "GRANT": "x"})]
    assert told == [f"{P}{name}: is not read, for it is no setting; did you mean {P}{meant}?"]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "GRANTS",
            "LISTEN",
            "IAM__URL",
            "CACHE__OFF",
            "FILES",
            "CONFIG",
            "URL",
            "TRACEBACK",
            "PORT",
            "SERVICE_HOST",
        ),
        *("SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_9780_TCP", "PORT_9780_TCP_PROTO", "PORT_9780_TCP_PORT"),
        # Of Services whose names begin with ours.
        *(
            "PORT_9780_TCP_ADDR",
            "LISTEN_PORT",
            "LOG_PORT",
            "LOG_SERVICE_HOST",
            "GRANT_SERVICE_PORT",
            "COLOUR",
        ),
    ],
)
def test_other_variables_are_left_alone(name: str):
    assert list(near_misses({P + name: "x"})) == []
