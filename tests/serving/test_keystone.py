"""A token with all that IAM said of it, for clients that are made for Keystone."""

from pathlib import Path

from tests.serving.house import SOCKET, house

KEYSTONE = "/v1/identities/default/keystone"


async def test_the_token_comes_with_the_whole_answer_of_iam(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        answer = await broker.get(KEYSTONE, headers={"Prefer": "wait=3"})
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
        assert answer.headers["Preference-Applied"] == "wait=3"
        assert answer.tree == {
            "identity": "default",
            "token": "token-of-default",
            "body": {"token": {"catalog": [{"type": "identity", "endpoints": []}]}},
        }


async def test_it_is_a_token_handed_out_and_a_look_at_the_head_is_none(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        await broker.issued()
        assert (await broker.get(KEYSTONE, "HEAD")).status == 200
        assert (broker.books.tokens, broker.audit.hand_outs) == ([], [])
        await broker.get(KEYSTONE)
        assert broker.books.tokens == [("default", SOCKET)]
        assert [identity for _, identity, *_ in broker.audit.hand_outs] == ["default"]


async def test_one_is_waited_for_as_preferred_and_its_absence_told(tmp_path: Path):
    async with house(tmp_path, "default") as broker:
        answer = await broker.get(KEYSTONE, headers={"Prefer": "wait=0"})
        assert (answer.status, answer.tree["code"]) == (503, "not_ready")
