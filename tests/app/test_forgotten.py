"""What was replaced is let go: no part of a running broker holds an old key or an old token any longer."""

import gc
from pathlib import Path

from broker.core.secret import Secret
from broker.fakeiam.server import FakeIam
from tests.app.whole import get, until, whole


def holders(text: str) -> list[Secret]:
    """The values with this text that are still referred to."""
    gc.collect()
    return [thing for thing in gc.get_objects() if type(thing) is Secret and thing == Secret(text)]


def rewrite(folder: Path, key_id: str, secret: str) -> None:
    (folder / "id").write_text(key_id)
    (folder / "secret").write_text(secret)


async def test_a_key_and_its_token_go_when_others_have_taken_over(tmp_path: Path):
    iam = FakeIam()
    old, new = iam.key, iam.realm.add_key(iam.user.id)
    async with whole(tmp_path, iam) as broker:
        first = (await get(tmp_path / "s", "/v1/token"))[1]["token"]
        assert holders(old.secret)
        assert holders(first)
        rewrite(tmp_path / "keys", new.id, new.secret)
        keeper = broker.desk.keyring["default"]
        keeper.look_at_keys()
        await until(lambda: keeper.lease.using != 1)
        second = (await get(tmp_path / "s", "/v1/token"))[1]["token"]
        assert second != first
        await keeper.remembrance.kept(keeper.clock.now() + 5)
        await until(lambda: not holders(old.secret))
        await until(lambda: not holders(first))
        assert holders(new.secret)
        assert holders(second)
