"""A Go program on gophercloud, with the OS_* variables of `broker exec` alone: the library of kubectl's kic-iam-auth."""

from pathlib import Path

import pytest

from tests.keystone.world import KeystoneWorld
from tests.tools.golang import built
from tests.tools.standing import standing

pytestmark = [pytest.mark.tools, pytest.mark.keystone, pytest.mark.timeout(400)]


async def test_gophercloud_gets_another_token_and_retries(
    keystone_world: KeystoneWorld, tmp_path: Path
) -> None:
    """Rule: it takes 201 alone for a token, and times that end in Z; its retry after a 401 succeeds."""
    program = built(Path(__file__).with_name("long_lived_go"), tmp_path)
    async with standing(tmp_path, keystone_world) as stands, stands.outliving(program):
        pass
