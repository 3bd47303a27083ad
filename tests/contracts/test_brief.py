"""Tokens that end by themselves, and certificates by a private CA.

These share a module, as they share a Keystone of their own.
"""

from broker.core.errors import Fault
from tests.contracts.asking import BRIEF, asking, by_id, ends, failing, outlive
from tests.contracts.world import World


async def test_a_private_ca_is_trusted_when_named(brief_world: World):
    """With iam.ca_file every question works over TLS."""
    assert brief_world.url.startswith("https://")
    key = by_id(await brief_world.add_key(await brief_world.add_user()))
    async with asking(brief_world) as iam:
        token = (await iam.issue(key)).token
        assert (await iam.validate(token)).roles
        assert (await iam.key_facts(token)).restricted
        assert len(await iam.projects(token)) == 1


async def test_a_stranger_is_not_trusted(brief_world: World):
    """Without it the broker sends nothing, calls IAM unavailable and names the certificate and the remedy."""
    key = by_id(await brief_world.add_key(await brief_world.add_user()))
    requests = await brief_world.issue_requests()
    async with asking(brief_world, trusting=False) as iam:
        error = await failing(iam.issue(key), Fault.UNAVAILABLE)

    assert "certificate" in error.detail
    assert "iam.ca_file" in error.detail
    assert await brief_world.issue_requests() == requests


async def test_a_token_ends_by_itself(brief_world: World):
    """Then it is 401, with no grace; its key gets the next one."""
    key = by_id(await brief_world.add_key(await brief_world.add_user()))
    async with asking(brief_world) as iam:
        reply = await iam.issue(key)
        assert reply.lifetime <= BRIEF

        await outlive(lambda: iam.validate(reply.token))

        await ends(iam.validate(reply.token), 401)
        await ends(iam.projects(reply.token), 401)
        await iam.validate((await iam.issue(key)).token)
