"""The directory: what may be made, and what is refused."""

import pytest

from broker.fakeiam.realm import UnknownError
from broker.fakeiam.server import FakeIam


def test_a_users_key_names_and_ids_are_unique(iam: FakeIam):
    """As in Keystone, so that method 2 finds one key."""
    with pytest.raises(ValueError, match="choose others"):
        iam.realm.add_key(iam.user.id, name=iam.key.name)
    with pytest.raises(ValueError, match="choose others"):
        iam.realm.add_key(iam.user.id, key_id=iam.key.id)
    iam.realm.add_key(iam.realm.add_user().id, name=iam.key.name)


def test_what_does_not_exist_is_said_plainly(iam: FakeIam):
    """One sentence, for the control API."""
    with pytest.raises(UnknownError, match="there is no user x"):
        iam.realm.add_key("x")
    with pytest.raises(UnknownError, match="there is no key x"):
        iam.realm.delete_key("x")
    with pytest.raises(UnknownError, match="there is no project x"):
        iam.realm.delete_project("x")
    with pytest.raises(UnknownError, match="has no role x"):
        iam.realm.remove_role(iam.user.id, "x")


def test_the_directory_is_bounded(iam: FakeIam, monkeypatch: pytest.MonkeyPatch):
    """The control API cannot eat the host's memory."""
    monkeypatch.setattr("broker.fakeiam.realm.MOST", 1)
    with pytest.raises(ValueError, match="delete some"):
        iam.realm.add_user()


def test_the_initial_key_can_be_chosen():
    """A demo can hand the same key to two programs."""
    iam = FakeIam(key_id="a" * 32, key_secret="planted")
    assert (iam.key.id, iam.key.secret) == ("a" * 32, "planted")


def test_a_user_sees_the_projects_it_has_roles_in(iam: FakeIam):
    """In the order in which it joined; losing the last role in one leaves it."""
    more = iam.realm.join_project(iam.user.id)
    assert [project.id for project in iam.realm.projects_of(iam.user.id)] == [iam.user.home, more.id]
    iam.realm.remove_role(iam.user.id, "member", more.id)
    assert [project.id for project in iam.realm.projects_of(iam.user.id)] == [iam.user.home]
