"""The second net: what looks like a secret is cut out of a text, what a reader needs stays, and it takes no time."""

import base64
import json
import time
from urllib.parse import quote

import pytest

from broker.core.redaction import MASK, looks_secret, names_secret, redacted

# As KakaoCloud and Keystone make them.
BY_BASE64 = "rHMkBT1rYp-KjI4_uGThE38YalXINX5erBxPLudZ0EMZXB0H14_IMGjcPlYwgRruas0VLLQ4fQ3oI2EzGLTF2Q"
BY_HEX = "553595c627c1d8708c5c4b7e5aae4cfbd9dff168882f3576997dfa4fddf55dd22fb0cd"
TOKEN = "gAAAAABmZm9v" + "aZ09-_" * 28 + "=="
SHAPED = (BY_BASE64, BY_HEX, TOKEN)
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ID = "4f0c3d8e9b5a4c7e8f1a2b3c4d5e6f70"
WORD = "hunter2"


def test_the_samples_have_the_lengths_of_the_real_ones():
    assert [len(BY_BASE64), len(BY_HEX), len(SHA256), len(ID)] == [86, 70, 64, 32]


@pytest.mark.parametrize("secret", SHAPED)
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "a {} b",
        "<{}>",
        "/etc/keys/{}",
        "key-{}",
        "'{}'",
        '{{"x": "{}"}}',
        "https://iam/{}?a={}",
        "no\n{}\n",
    ],
)
def test_a_shape_is_cut_wherever_it_stands(secret: str, around: str):
    text = around.replace("{}", secret)
    assert secret[:40] not in redacted(text)
    assert MASK in redacted(text)
    assert looks_secret(text)


@pytest.mark.parametrize("secret", SHAPED)
@pytest.mark.parametrize(
    "spelling",
    [
        lambda text: quote(text, safe=""),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(b"robot:" + text.encode()).decode(),
        lambda text: text.encode().hex(),
        lambda text: json.dumps(f'"{text}"'),
    ],
)
def test_so_is_each_of_its_spellings(secret: str, spelling):
    assert len(redacted(spelling(secret)).replace(MASK, "")) < 16


def test_the_beginning_of_a_token_is_one():
    """`reprlib` and others shorten what they show."""
    assert redacted("result='gAAAAABmZm9v...aZ09=='") == "result='***...aZ09=='"


@pytest.mark.parametrize(
    "text",
    [
        "X-Auth-Token: hunter2\r\nHost: x",
        "x-subject-token: hunter2",
        "b'X-Subject-Token: hunter2\\r\\nHost: x'",
        "(b'X-Auth-Token', b'hunter2')",
        "<CIMultiDict('X-Auth-Token': 'hunter2', 'Host': 'x')>",
        "{'secret': 'hunter2', 'x': 1}",
        '{"secret": "hunter2"}',
        r'"{\"secret\":\"hunter2\"}"',
        'secret = "hunter2"',
        "secret='hunter2 hunter2'",
        "{'secret': 'hunter2",
        "{'secret': ['hunter2']}",
        "OS_APPLICATION_CREDENTIAL_SECRET=hunter2 next",
        "OS_PASSWORD=hunter2",
        "Authorization: Bearer hunter2 and on",
        "Cookie: hunter2",
        "http://robot:hunter2@proxy:3128",
        "https://hunter2@iam.example/v3",
    ],
)
def test_what_a_name_announces_is_cut(text: str):
    cut = redacted(text)
    assert WORD not in cut
    assert MASK in cut
    assert not looks_secret(text), "a word alone has no shape"


@pytest.mark.parametrize(
    "text",
    [
        SHA256,
        ID,
        f"token_sha256={SHA256}",
        f"cri-containerd-{SHA256}.scope",
        f"docker-{SHA256}.scope",
        f"{ID}/{ID}/{ID}",
        "0b5cf8a2-8fd1-4d4e-9f0e-2f1d5c7a9b11",
        "/etc/keys/secret: is missing; give the key's secret, which the console shows only once",
        "export KAKAOCLOUD_APPLICATION_CREDENTIAL_ID and KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET",
        "IAM rejects the token (401): it has ended or was revoked, or its key has access rules",
        "it has no usable X-Subject-Token header",
        "KeyById(id='x', secret=Secret(***))",
        "https://iam.kakaocloud.com/identity/v3",
        "mail bob@example.com",
        "  | +---------------- 1 " + "-" * 100,
        "    token = await self._ask(request)",
        "n" * 200,
        "9" * 200,
        "f" * 200,
        "/a/very/long/path" * 20,
    ],
)
def test_what_is_no_secret_stays(text: str):
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("secret", True),
        ("X-Auth-Token", True),
        ("client_secret", True),
        ("OS_PASSWORD", True),
        ("Cookie", True),
    ]
    + [(name, False) for name in ("token_sha256", "secret_file", "key", "id", "tokens", "event")],
)
def test_which_names_hold_a_secret(name: str, secret: bool):
    assert names_secret(name) is secret


@pytest.mark.parametrize(
    "piece",
    [
        "secret=",
        "'secret': '",
        "://",
        "gAAAAA",
        "-",
        "a" * 69 + " ",
        "secret\\",
        'secret"',
        "a_",
        " ",
        "x-auth-token:",
    ],
)
def test_no_text_takes_long(piece: str):
    """Rule: time grows with the length alone; 1 MB in far less than the second that a quadratic search would take."""
    text = piece * (1_000_000 // len(piece))
    began = time.perf_counter()
    redacted(text)
    assert time.perf_counter() - began < 2
