"""Issuing and judging tokens: the table of troubles, row by row."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from broker.fakeiam.model import AccessRule, Claim, Key, RefusedError, Token
from broker.fakeiam.server import FakeIam
from tests.fakeiam.clock import Clock


def claim(key: Key) -> Claim:
    return Claim(key.secret, key_id=key.id)


def issue_code(iam: FakeIam, asked: Claim) -> int:
    try:
        iam.tokens.issue(asked)
    except RefusedError as refused:
        return refused.code
    return 201


def validate_code(iam: FakeIam, token: Token) -> int:
    try:
        iam.tokens.validate(token.text, token.text)
    except RefusedError as refused:
        return refused.code
    return 200


@pytest.mark.parametrize(
    ("trouble", "issue", "validation"),
    [
        (lambda iam: iam.realm.set_user_enabled(iam.user.id, enabled=False), 401, 401),
        (lambda iam: iam.realm.remove_role(iam.user.id, "member"), 401, 401),
        (lambda iam: iam.realm.delete_key(iam.key.id), 404, 404),
        (lambda iam: iam.realm.delete_user(iam.user.id), 404, 404),
        (lambda iam: iam.realm.set_project_enabled(iam.user.home, enabled=False), 404, 404),
        (lambda iam: iam.realm.delete_project(iam.user.home), 404, 404),
        (lambda iam: iam.realm.change_password(iam.user.id), 201, 401),
        (lambda iam: iam.tokens.revoke_all(), 201, 401),
        (lambda iam: iam.realm.add_role(iam.user.id, "admin"), 201, 200),
    ],
    ids=[
        "user off",
        "no role",
        "key gone",
        "user gone",
        "project off",
        "project gone",
        "password",
        "revoked",
        "role",
    ],
)
def test_each_trouble_has_its_answers(
    iam: FakeIam, trouble: Callable[[FakeIam], None], issue: int, validation: int
):
    """What issue answers, and what the old token's own validation answers, at once."""
    token = iam.tokens.issue(claim(iam.key))
    trouble(iam)
    assert (issue_code(iam, claim(iam.key)), validate_code(iam, token)) == (issue, validation)


def test_a_wrong_secret_is_401_and_an_unknown_id_404(iam: FakeIam):
    """Keystone tells these two apart."""
    other = ("x" if iam.key.secret[0] != "x" else "y") + iam.key.secret[1:]
    assert issue_code(iam, Claim(other, key_id=iam.key.id)) == 401
    assert issue_code(iam, Claim("", key_id=iam.key.id)) == 401
    assert issue_code(iam, Claim("\ud800", key_id=iam.key.id)) == 401
    assert issue_code(iam, Claim(iam.key.secret, key_id="0" * 32)) == 404


def test_an_unknown_name_or_user_is_401(iam: FakeIam):
    """By name Keystone does not say what was wrong."""
    assert issue_code(iam, Claim(iam.key.secret, name=iam.key.name, user_id=iam.user.id)) == 201
    assert issue_code(iam, Claim(iam.key.secret, name="other", user_id=iam.user.id)) == 401
    assert issue_code(iam, Claim(iam.key.secret, name=iam.key.name, user_id="other")) == 401


def test_times_are_floored_so_real_life_is_shorter(iam: FakeIam, clock: Clock):
    """12 h issued at .25 s end a quarter of a second early, with no grace."""
    token = iam.tokens.issue(claim(iam.key))
    assert token.expires_at - token.issued_at == timedelta(hours=12)
    assert token.issued_at.microsecond == 0
    clock.forward(12 * 3600 - 0.26)
    assert validate_code(iam, token) == 200
    clock.forward(0.01)
    assert validate_code(iam, token) == 401


def test_a_token_does_not_outlive_its_key(iam: FakeIam, clock: Clock):
    """Expiry is clamped to the key's own; afterwards the key is dead too."""
    key = iam.realm.add_key(iam.user.id, lifetime=60)
    token = iam.tokens.issue(claim(key))
    assert token.expires_at - token.issued_at == timedelta(seconds=60)
    clock.forward(60)
    assert issue_code(iam, claim(key)) == 401
    assert validate_code(iam, token) == 401


def test_life_may_change_while_running(iam: FakeIam):
    """The new life holds for new tokens."""
    iam.tokens.life = 4.0
    token = iam.tokens.issue(claim(iam.key))
    assert token.expires_at - token.issued_at == timedelta(seconds=4)
    with pytest.raises(ValueError, match="between 1 second and 366 days"):
        iam.tokens.life = 0


def test_lost_roles_leave_the_token_at_once_and_come_back(iam: FakeIam):
    """A token has the roles that both the key's snapshot and the user have now."""
    user = iam.realm.add_user("member", "reader")
    token = iam.tokens.issue(claim(iam.realm.add_key(user.id)))
    iam.realm.add_role(user.id, "admin")
    assert iam.tokens.roles(token) == {"member", "reader"}
    iam.realm.remove_role(user.id, "reader")
    assert iam.tokens.roles(token) == {"member"}
    iam.realm.remove_role(user.id, "member")
    assert validate_code(iam, token) == 401
    iam.realm.add_role(user.id, "member")
    assert validate_code(iam, token) == 200


def test_a_token_reissued_in_the_second_of_a_revocation_is_dead(iam: FakeIam, clock: Clock):
    """Keystone compares floored times; a second later a new token lives."""
    iam.realm.change_password(iam.user.id)
    clock.forward(0.5)
    assert validate_code(iam, iam.tokens.issue(claim(iam.key))) == 401
    clock.forward(0.5)
    assert validate_code(iam, iam.tokens.issue(claim(iam.key))) == 200


def test_enabling_a_user_does_not_revive_its_tokens(iam: FakeIam, clock: Clock):
    """Disabling is a revocation."""
    token = iam.tokens.issue(claim(iam.key))
    iam.realm.set_user_enabled(iam.user.id, enabled=False)
    clock.forward(2)
    iam.realm.set_user_enabled(iam.user.id, enabled=True)
    assert validate_code(iam, token) == 401
    assert issue_code(iam, claim(iam.key)) == 201


def test_enabling_a_project_revives_its_tokens(iam: FakeIam):
    """Measured: unlike a disabled user, a disabled project is no revocation."""
    token = iam.tokens.issue(claim(iam.key))
    iam.realm.set_project_enabled(iam.user.home, enabled=False)
    iam.realm.set_project_enabled(iam.user.home, enabled=True)
    assert validate_code(iam, token) == 200


def test_a_new_key_with_the_old_id_revives_nothing(iam: FakeIam):
    """A token belongs to a key, not to an id."""
    token = iam.tokens.issue(claim(iam.key))
    iam.realm.delete_key(iam.key.id)
    iam.realm.add_key(iam.user.id, key_id=iam.key.id, secret=iam.key.secret)
    assert validate_code(iam, token) == 404


def test_a_key_with_access_rules_can_issue_but_not_look(iam: FakeIam):
    """404 on its own validation, 401 on lists; but it may ask about another token of its user."""
    key = iam.realm.add_key(iam.user.id, access_rules=[AccessRule("r")])
    token = iam.tokens.issue(claim(key))
    assert validate_code(iam, token) == 404
    plain = iam.tokens.issue(claim(iam.key))
    assert iam.tokens.validate(token.text, plain.text) is plain
    for look in (
        lambda: iam.tokens.authenticate(token.text),
        lambda: iam.tokens.key_of(token.text, iam.user.id, key.id),
    ):
        with pytest.raises(RefusedError) as refused:
            look()
        assert refused.value.code == 401


def test_a_key_is_shown_to_its_owner(iam: FakeIam):
    """Whichever user the path names; another's is 403, one that is not there 404."""
    token = iam.tokens.issue(claim(iam.key)).text
    other = iam.realm.add_key(iam.realm.add_user().id)
    gone = iam.realm.add_key(iam.user.id)
    assert iam.tokens.key_of(token, iam.user.id, gone.id) is gone
    assert iam.tokens.key_of(token, other.user_id, iam.key.id) is iam.key
    iam.realm.delete_key(gone.id)
    for user_id, key_id, code in (
        (iam.user.id, gone.id, 404),
        (iam.user.id, other.id, 403),
        (other.user_id, other.id, 403),
        (other.user_id, gone.id, 403),
    ):
        with pytest.raises(RefusedError) as refused:
            iam.tokens.key_of(token, user_id, key_id)
        assert refused.value.code == code


def test_validating_another_token(iam: FakeIam):
    """Of the same user: yes; of another, or of none: 403; a dead or unknown one: 404 with its text."""
    mine, also_mine = (iam.tokens.issue(claim(iam.key)) for _ in range(2))
    other = iam.tokens.issue(claim(iam.realm.add_key(iam.realm.add_user().id)))
    assert iam.tokens.validate(mine.text, also_mine.text) is also_mine
    gone = iam.realm.add_key(iam.user.id)
    dead = iam.tokens.issue(claim(gone))
    iam.realm.delete_key(gone.id)
    for subject, code in ((other.text, 403), (None, 403), ("garbage", 404), (dead.text, 404)):
        with pytest.raises(RefusedError) as refused:
            iam.tokens.validate(mine.text, subject)
        assert refused.value.code == code
        assert (str(subject) in refused.value.message) == (code == 404)


def test_garbage_is_401(iam: FakeIam):
    """A text that is no token, or none at all, does not authenticate."""
    for text in ("garbage", None):
        with pytest.raises(RefusedError) as refused:
            iam.tokens.validate(text, text)
        assert refused.value.code == 401
        with pytest.raises(RefusedError) as refused:
            iam.tokens.authenticate(text)
        assert refused.value.code == 401


def test_the_number_of_tokens_remembered_is_bounded(iam: FakeIam, clock: Clock):
    """Expired ones go first, then the oldest."""
    iam.tokens._most = 3
    iam.tokens.life = 10
    iam.tokens.issue(claim(iam.key))
    clock.forward(20)
    tokens = [iam.tokens.issue(claim(iam.key)) for _ in range(4)]
    assert len(iam.tokens) == 3
    assert [validate_code(iam, token) for token in tokens] == [401, 200, 200, 200]
