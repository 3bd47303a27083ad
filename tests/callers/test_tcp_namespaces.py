"""Callers from other namespaces: without their socket in ours, or their user in ours, nobody is assumed.

Each scene is played in namespaces made by `unshare`, which end with their last process: nothing is left to clean up.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.callers.loopback import needs_root, stranger

SECONDS = 30.0
ROOT = Path(__file__).parents[2]

# The broker's side: root listens on port 40000, the broker on 9780, both on every address of this namespace, and the
# client comes over a veth pair from port 40000 of its own namespace, as another user.
ACROSS_A_VETH = """
import json, os, socket, subprocess, sys
from broker.callers.sock_diag import SockDiag, end_of
from broker.callers.overflow import ambiguous_uid
from broker.callers.tcp import TcpProver

CLIENT = '''
import os, socket, subprocess
print("here", flush=True)
input()
subprocess.run(["ip", "address", "add", "10.99.0.2/30", "dev", "inner"], check=True)
subprocess.run(["ip", "link", "set", "inner", "up"], check=True)
os.setuid(54321)
with socket.socket() as client:
    client.settimeout(10)
    client.bind(("10.99.0.2", 40000))
    client.connect(("10.99.0.1", 9780))
    print("connected", flush=True)
    input()
'''

def ip(*words):
    subprocess.run(["ip", *words], check=True)

ip("link", "set", "lo", "up")
kernel = SockDiag()
prover = TcpProver(kernel, ambiguous_uid())
squatter, listener = socket.create_server(("", 40000)), socket.create_server(("", 9780))
listener.settimeout(10)
command = ["unshare", "--net", sys.executable, "-c", CLIENT]
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
    client.stdout.readline()
    ip("link", "add", "outer", "type", "veth", "peer", "name", "inner", "netns", str(client.pid))
    ip("address", "add", "10.99.0.1/30", "dev", "outer")
    ip("link", "set", "outer", "up")
    client.stdin.write("\\n")
    client.stdin.flush()
    accepted, name = listener.accept()
    own, other = end_of(accepted.getpeername()), end_of(accepted.getsockname())
    found = kernel.find(own, other)
    print(json.dumps({
        "peer": name,
        "self_test": prover.self_test("127.0.0.1"),
        "self_test_outside": prover.self_test("10.99.0.1"),
        "kernel_names": found and {"uid": found.uid, "has_owner": found.inode != 0, "port": found.own.port},
        "proven": prover.prove(accepted),
        # As if both were loopback addresses: the comparison alone must refuse it too.
        "by_comparison": TcpProver(kernel, None)._judge(found, own, other),
    }))
    client.communicate("\\n", timeout=10)
"""

# The broker's side in a user namespace that maps one user only: whoever else calls is uid 65534 there.
IN_A_USER_NAMESPACE = """
import json, os, socket, sys
from broker.callers.sock_diag import SockDiag, end_of
from broker.callers.overflow import ambiguous_uid
from broker.callers.tcp import TcpProver

kernel = SockDiag()
prover = TcpProver(kernel, ambiguous_uid())
print(json.dumps({"self_test": prover.self_test("127.0.0.1"), "uid": os.geteuid()}), flush=True)
with socket.create_server(("127.0.0.1", 0)) as listener:
    listener.settimeout(10)
    print(listener.getsockname()[1], flush=True)
    accepted, _ = listener.accept()
    found = kernel.find(end_of(accepted.getpeername()), end_of(accepted.getsockname()))
    print(json.dumps({"kernel_names": found.uid, "proven": prover.prove(accepted)}), flush=True)
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def can_unshare(*kinds: str) -> bool:
    command = ["unshare", *kinds, "true"]
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(command, check=False, capture_output=True).returncode
    )


def read(line: bytes) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(line)
    return said


@needs_root
@pytest.mark.skipif(not shutil.which("ip"), reason="needs iproute2 to connect two network namespaces")
def test_a_client_in_another_network_namespace_is_not_the_root_listener_on_its_port():
    if not can_unshare("--net"):
        pytest.skip("this host forbids new network namespaces")
    command = ["unshare", "--net", sys.executable, "-c", ACROSS_A_VETH]
    played = subprocess.run(command, env=environment(), check=True, capture_output=True, timeout=SECONDS)
    assert read(played.stdout) == {
        "peer": ["10.99.0.2", 40_000],
        "self_test": None,
        "self_test_outside": "callers over TCP to 10.99.0.1 cannot be proven: it is no loopback address",
        "kernel_names": {"uid": 0, "has_owner": True, "port": 40_000},  # the trap is there
        "proven": None,
        "by_comparison": None,
    }


@needs_root
@pytest.mark.parametrize("uid", [54321, 65534])
def test_a_caller_whom_our_user_namespace_does_not_map_is_nobody(uid: int):
    if not can_unshare("--user", "--map-root-user"):
        pytest.skip("this host forbids new user namespaces")
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", IN_A_USER_NAMESPACE]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as broker:
        assert broker.stdout
        assert read(broker.stdout.readline()) == {"self_test": None, "uid": 0}
        with stranger("127.0.0.1", int(broker.stdout.readline()), uid):
            assert read(broker.stdout.readline()) == {"kernel_names": 65534, "proven": None}
        assert broker.wait(SECONDS) == 0


def test_a_broker_that_its_user_namespace_does_not_map_serves_no_tcp():
    if not can_unshare("--user"):
        pytest.skip("this host forbids new user namespaces")
    script = IN_A_USER_NAMESPACE.partition("with socket")[0]
    command = ["unshare", "--user", sys.executable, "-c", script]
    played = subprocess.run(command, env=environment(), check=False, capture_output=True, timeout=SECONDS)
    if played.returncode:
        pytest.skip("the overflow user may not read this Python")
    said = read(played.stdout)
    assert said["uid"] == 65534
    assert "user namespace" in said["self_test"]
