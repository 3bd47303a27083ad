"""Who waits is judged by the rules of the moment at which it is answered, and for the identity that it asked for."""

from pathlib import Path

import pytest

from broker.keeper.keyring import Keyring
from tests.serving.house import House, Readable, house, until

WAIT = "wait=5"


async def answered_after(broker: House, target: str, change: object) -> tuple[int, str]:
    """What a caller is told who waits for a token, when this happens while it waits and the token comes."""
    request = broker.ask(target, prefer=WAIT)
    await until(lambda: broker.clock.waiting)
    assert callable(change)
    change()
    broker.issuers["default"].grant("the-token")
    answer = await request
    assert b"the-token" not in answer.body
    return answer.status, answer.tree.get("code", "")


@pytest.mark.parametrize("what", ["token", "keystone", "catalog", "projects"])
async def test_a_right_that_was_withdrawn_meanwhile_is_none(tmp_path: Path, what: str):
    policy = Readable("default")
    async with house(tmp_path, "default", policy=policy) as broker:
        told = await answered_after(broker, f"/v1/identities/default/{what}", policy.names.clear)
        assert told == (403, "access_denied")
        assert broker.audit.hand_outs == []


@pytest.mark.parametrize("what", ["token", "keystone", "catalog", "projects"])
async def test_an_identity_of_the_same_name_is_another_one(tmp_path: Path, what: str, monkeypatch):
    """A reload removed the identity, and a second one brought the name back with another key."""
    (tmp_path / "2").mkdir()
    async with house(tmp_path, "default") as broker, house(tmp_path / "2", "default") as other:
        mine, another = Keyring.__getitem__, other.keyring["default"]
        asked = f"/v1/identities/default/{what}"

        def replace() -> None:
            def found(ring: Keyring, name: str) -> object:
                return another if ring is broker.keyring else mine(ring, name)

            monkeypatch.setattr(Keyring, "__getitem__", found)

        broker.keyring["default"].observe()
        assert await answered_after(broker, asked, replace) == (503, "not_ready")
        assert broker.audit.hand_outs == []
