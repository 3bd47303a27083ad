"""What a control group's path says of who lives there, and that nobody can name a unit into being below their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.callers.units import Lodging, lodging

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
    assert lodging(f"0::{path}\n") == Lodging(unit, slices, container)


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
    assert lodging(f"0::{path}\n").unit != "app.service"


@pytest.mark.parametrize("path", [f"/../{ID}", f"/../../docker/{ID}", f"/docker/{ID}/../{INNER}"])
def test_nobody_is_in_a_container_of_which_another_namespace_tells(path: str):
    assert lodging(f"0::{path}\n") == Lodging()


def test_where_there_are_several_hierarchies_systemds_own_counts():
    text = "9:name=systemd:/system.slice/app.service\n4:memory:/x\n0::/system.slice/other.service\n"
    assert lodging(text).unit == "app.service"
    assert lodging("4:memory:/system.slice/app.service\n") == Lodging()
    assert lodging("") == Lodging()


@given(st.text(alphabet="abc-./:_@\n0179", max_size=60))
def test_whatever_stands_there_gives_a_lodging_and_never_raises(text: str):
    at = lodging(text)
    assert at.unit is None or at.unit.endswith((".service", ".scope"))
    assert all(part.endswith(".slice") for part in at.slices)
