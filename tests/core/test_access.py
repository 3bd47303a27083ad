"""Without grants, the broker's own uid and this host's root may read; nobody else."""

import pytest

from broker.core.access import OwnerOnly, Workload


@pytest.mark.parametrize(
    ("uid", "pid", "in_container", "allowed"),
    [
        (1000, 7, False, True),
        (1000, 0, True, True),  # the pod's other containers run as the same uid
        (0, 7, False, True),
        (0, 0, False, False),  # root of another pid namespace is somebody else's root
        (0, 7, True, False),
        (1001, 7, False, False),
        (65534, 7, False, False),
    ],
)
def test_owner_only(uid, pid, in_container, allowed):
    policy = OwnerOnly(uid=1000, in_container=in_container)
    assert policy.may_read(Workload(uid, uid, pid, "socket"), "default") is allowed
