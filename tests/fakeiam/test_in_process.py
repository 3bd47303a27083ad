"""The emulator's model without its server: realm and tokens on a clock that the caller moves, as a simulation has them."""

import itertools
from datetime import timedelta

import pytest

from broker.fakeiam.model import Claim, RefusedError
from broker.fakeiam.realm import Realm
from broker.fakeiam.tokens import Tokens
from tests.fakeiam.clock import Clock


def test_a_life_in_simulated_time(clock: Clock):
    """From making a user to the end of its key, no second of it real."""
    realm = Realm(clock)
    tokens = Tokens(realm, life=3600)
    user = realm.add_user("member", "reader")
    key = realm.add_key(user.id, lifetime=7200)
    claim = Claim(key.secret, key_id=key.id)

    token = tokens.issue(claim)
    assert token.issued_at == clock().replace(microsecond=0)
    clock.forward(3000)
    assert tokens.roles(tokens.validate(token.text, token.text)) == {"member", "reader"}
    assert tokens.key_of(token.text, user.id, key.id).expires_at == clock() + timedelta(seconds=4200)

    realm.remove_role(user.id, "reader")
    assert tokens.roles(token) == {"member"}
    clock.forward(600)
    assert _refused(tokens, token.text) == 401

    token = tokens.issue(claim)
    tokens.revoke(token.text)
    assert _refused(tokens, token.text) == 401
    token = tokens.issue(claim)
    realm.delete_key(key.id)
    assert _refused(tokens, token.text) == 404
    with pytest.raises(RefusedError) as refused:
        tokens.issue(claim)
    assert refused.value.code == 404


def test_a_simulation_may_name_its_tokens(clock: Clock):
    """What is drawn from a token's text is then the same in every run."""
    numbers = itertools.count(1)
    realm = Realm(clock)
    tokens = Tokens(realm, new_text=lambda: f"token-{next(numbers)}")
    key = realm.add_key(realm.add_user().id)

    issued = [tokens.issue(Claim(key.secret, key_id=key.id)).text for _ in range(2)]

    assert issued == ["token-1", "token-2"]
    assert [tokens.validate(text, text).text for text in issued] == issued


def _refused(tokens: Tokens, text: str) -> int:
    with pytest.raises(RefusedError) as refused:
        tokens.validate(text, text)
    return refused.value.code
