"""A listener that cannot do all it should does the rest, and says so."""

import contextlib
from pathlib import Path

from broker import openings
from broker.callers.tcp import TcpProver
from broker.serving.doorway import Serve
from broker.settings import Settings, TcpListener

NO_PROOF = "callers over TCP to 127.0.0.1 cannot be proven: netlink is forbidden here"


def settings(folder: Path, **listener: object) -> Settings:
    return Settings.model_validate({"listen": [listener], "identities": {"default": {"keys": [str(folder)]}}})


def test_where_the_kernel_proves_nobody_over_tcp_nobody_is_proven_and_the_log_says_why(
    tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(TcpProver, "self_test", lambda _self, _host: NO_PROOF)
    with contextlib.ExitStack() as stack:
        [opening] = openings.openings(settings(tmp_path, tcp="127.0.0.1:0"))
        doorway, listening = stack.enter_context(opening)
        assert doorway.label == f"127.0.0.1:{listening.getsockname()[1]}"
        assert doorway.prove(listening) is None
        assert doorway.gates
    told = capfd.readouterr()
    assert "tcp_serves_no_tokens" in told.out + told.err


def test_beyond_loopback_there_are_no_tokens_and_monitors_may_call_us_by_any_name(tmp_path):
    with contextlib.ExitStack() as stack:
        everywhere = "0.0.0.0:0"
        [opening] = openings.openings(settings(tmp_path, tcp=everywhere, serve=["health", "metrics"]))
        doorway, _ = stack.enter_context(opening)
        assert doorway.serve == {Serve.HEALTH, Serve.METRICS}
        assert [gate.name for gate in doorway.gates] == ["version", "target", "framing"]


def test_a_default_listener_whose_address_this_host_lacks_is_left_out():
    class IfAvailable(TcpListener):
        if_available = True

    # Of the block for documentation, so no host has it.
    assert not openings._can_be_opened(
        IfAvailable.model_validate({"tcp": "192.0.2.1:80", "serve": ["health"]})
    )
    assert openings._can_be_opened(IfAvailable.model_validate({"tcp": "127.0.0.1:80"}))


def test_on_a_socket_the_kernels_word_is_taken(tmp_path):
    with contextlib.ExitStack() as stack:
        [opening] = openings.openings(settings(tmp_path, unix=str(tmp_path / "s")))
        doorway, _ = stack.enter_context(opening)
        assert doorway.label == str(tmp_path / "s")
