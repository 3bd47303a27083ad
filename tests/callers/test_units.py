"""What a control group's path says of who lives there, and that nobody can name a unit into being below their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.callers.units import Hierarchy, Lodging, hierarchy, lodging

ID, INNER = "ab" * 32, "cd" * 32
USER = frozenset({"user.slice", "user-1000.slice"})
SYSTEM = frozenset({"system.slice"})


@pytest.mark.parametrize(
    ("path", "unit", "slices", "container"),
    [
        ("/system.slice/app.service", "app.service", SYSTEM, None),
        ("/system.slice/app@1.service/worker", "app@1.service", SYSTEM, None),
        ("/system.slice/_cpu.service", "cpu.service", SYSTEM, None),
        (
            "/system.slice/system-app.slice/app@1.service",
            "app@1.service",
            SYSTEM | {"system-app.slice"},
            None,
        ),
        (
            "/app.slice/app-web.slice/web.service",
            "web.service",
            frozenset({"app.slice", "app-web.slice"}),
            None,
        ),
        ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope", USER, None),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app.service",
            "user@1000.service",
            USER,
            None,
        ),
        (f"/system.slice/docker-{ID}.scope", f"docker-{ID}.scope", SYSTEM, ID),
        (f"/docker/{ID}", None, frozenset(), ID),
        # One in another: where the caller is, which is the one that can be looked for.
        (f"/docker/{ID}/docker/{INNER}", None, frozenset(), INNER),
        (f"/system.slice/docker-{ID}.scope/docker/{INNER}/worker", f"docker-{ID}.scope", SYSTEM, INNER),
        (f"/kubepods/besteffort/pod1/{ID}", None, frozenset(), ID),
        (
            f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container",
            "user@1000.service",
            USER,
            ID,
        ),
        (
            f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope",
            f"cri-containerd-{ID}.scope",
            frozenset({"kubepods.slice", "kubepods-pod1.slice"}),
            ID,
        ),
        ("/init.scope", "init.scope", frozenset(), None),
        ("/", None, frozenset(), None),
    ],
)
def test_the_systems_unit_its_slices_and_the_container_are_told(path, unit, slices, container):
    assert lodging(f"0::{path}\n", Hierarchy.UNIFIED) == Lodging(unit, slices, container)


@pytest.mark.parametrize(
    "path",
    [
        f"/docker/{ID}/system.slice/app.service",  # a container calls its own groups so
        f"/system.slice/docker-{ID}.scope/system.slice/app.service",
        "/user.slice/user-1000.slice/user@1000.service/system.slice/app.service",
        "/user.slice/user-1000.slice/user@1000.service/app.service",
        "/lxc/box/app.service",
        "/../system.slice/app.service",  # not below our root: another namespace's names
        "/user.slice/system.slice/app.service",  # no order of systemd's
        "/system.slice/app.service.d/x",
        "app.service",
        "",
    ],
)
def test_nobody_gets_into_a_unit_by_naming_a_group_so(path: str):
    assert lodging(f"0::{path}\n", Hierarchy.UNIFIED).unit != "app.service"


@pytest.mark.parametrize("path", [f"/../{ID}", f"/../../docker/{ID}", f"/docker/{ID}/../{INNER}"])
def test_nobody_is_in_a_container_of_which_another_namespace_tells(path: str):
    assert lodging(f"0::{path}\n", Hierarchy.UNIFIED) == Lodging()


GROUPS = "9:name=systemd:/system.slice/app.service\n4:memory:/x\n0::/system.slice/other.service\n"
V1 = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n37 31 0:34 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
BESIDE = V1 + "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
V2 = "28 22 0:25 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
OLD_CONTAINERS = V2 + "99 28 0:50 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"


@pytest.mark.parametrize(
    ("mounts", "unit"),
    [
        (V1, "app.service"),
        (BESIDE, "app.service"),
        (V2, "other.service"),
        # There root of a container names groups as it likes, which systemd has nothing to do with.
        (OLD_CONTAINERS, "other.service"),
        (V1 + V2, "other.service"),
        (V2 + V1, "app.service"),
        ("", "app.service"),
    ],
)
def test_of_several_hierarchies_the_one_in_which_systemd_names_groups_counts(mounts: str, unit: str):
    assert lodging(GROUPS, hierarchy(mounts)).unit == unit


def test_nobody_is_anywhere_without_a_line_of_that_hierarchy():
    for each in Hierarchy:
        assert lodging("4:memory:/system.slice/app.service\n", each) == Lodging()
        assert lodging("", each) == Lodging()
    assert lodging("0::/system.slice/app.service\n", Hierarchy.NAMED) == Lodging()
    assert lodging("1:name=systemd:/system.slice/app.service\n", Hierarchy.UNIFIED) == Lodging()


@given(st.text(alphabet="abc-./:_@\n0179", max_size=60), st.sampled_from(Hierarchy))
def test_whatever_stands_there_gives_a_lodging_and_never_raises(text: str, of: Hierarchy):
    at = lodging(text, of)
    assert at.unit is None or at.unit.endswith((".service", ".scope"))
    assert all(part.endswith(".slice") for part in at.slices)
