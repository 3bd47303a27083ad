"""Made-up values look like KakaoCloud's, and secrets do not print."""

import re

from broker.fakeiam.model import Claim, Key, new_id, new_secret, new_token_text


def test_values_have_the_real_shapes():
    """Redactors and parsers meet the same shapes as in production."""
    assert re.fullmatch(r"[0-9a-f]{32}", new_id())
    assert re.fullmatch(r"[A-Za-z0-9_-]{86}", new_secret())
    assert re.fullmatch(r"gAAAAA[A-Za-z0-9_-]{178}", new_token_text())


def test_values_differ_each_time():
    """Nothing about a realm can be known before it starts."""
    assert len({new_secret() for _ in range(10)}) == 10
    assert len({new_token_text() for _ in range(10)}) == 10


def test_a_secret_is_in_no_repr():
    """A traceback with a key or a claim in it gives nothing away."""
    secret = new_secret()
    key = Key("i", "n", "u", "p", frozenset(), secret)
    assert secret not in repr(key) + repr(Claim(secret, key_id="i"))
