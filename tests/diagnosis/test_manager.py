"""systemd's answers, as `systemctl show` writes them, and none at all."""

from pathlib import Path

import pytest

from broker.diagnosis import manager
from broker.settings import Settings
from tests.app.whole import settings
from tests.diagnosis.told import told

ABSENT = "Id=kakaocloud-broker.service\nLoadState=not-found\nActiveState=inactive\n"
SERVICE = (
    "Id=kakaocloud-broker.service\nLoadState=loaded\nActiveState={state}\nResult=exit-code\n"
    "NRestarts={restarts}\nNeedDaemonReload=no\nStatusText=1 identity\n\n"
)
SOCKET = (
    "Listen=/s (Stream)\nListen=127.0.0.1:9780 (Stream)\n"
    "Id=kakaocloud-broker.socket\nLoadState=loaded\nActiveState={state}\n"
)


def said(service: str = "active", socket: str = "active", restarts: int = 0) -> str:
    return SERVICE.format(state=service, restarts=restarts) + SOCKET.format(state=socket)


def found(text: str | None, tree: Settings | None = None, **environ: str) -> list[str]:
    return told(manager.manager(tree, environ, text))


@pytest.mark.parametrize("text", [None, ABSENT])
def test_no_systemd_is_no_trouble(text: str | None):
    assert found(text) == ["ok: the broker is not managed by systemd here"]


def test_all_well():
    assert found(said()) == [
        "ok: kakaocloud-broker.service is active: 1 identity",
        "ok: kakaocloud-broker.socket listens: a restart refuses no connection",
    ]


def test_a_failed_service_is_a_problem_with_the_way_to_its_log():
    assert found(said(service="failed"))[0] == (
        "problem: kakaocloud-broker.service has failed (exit-code); "
        "see why: journalctl -u kakaocloud-broker.service -n 30"
    )


def test_a_service_that_waits_for_a_connection_is_well_and_one_that_waits_for_nothing_is_not():
    assert found(said(service="inactive"))[0].startswith("ok: kakaocloud-broker.service is not started yet")
    assert found(said(service="inactive", socket="inactive"))[0].startswith("problem: ")


def test_a_socket_that_has_failed_refuses_now_and_one_that_is_not_started_at_a_restart():
    assert found(said(socket="failed"))[1].startswith(
        "problem: kakaocloud-broker.socket has failed (), so that nobody waits in its queue; "
        "when kakaocloud-broker.service is in order: systemctl reset-failed "
    )
    assert found(said(socket="inactive"))[1] == (
        "warning: kakaocloud-broker.socket is inactive: a restart refuses connections for a moment; systemctl enable "
        "kakaocloud-broker.socket; systemctl stop kakaocloud-broker.service; systemctl start kakaocloud-broker.socket kakaocloud-broker.service"
    )


def test_restarts_are_told():
    assert "warning: has restarted kakaocloud-broker.service 7 times by itself" in found(said(restarts=7))[1]


def test_a_socket_unit_and_settings_that_do_not_go_together(tmp_path: Path):
    tree = settings(tmp_path, {"default": {"keys": ["/run/credentials/x/default"]}})
    lines = found(said(), tree)
    assert any("listens at 127.0.0.1:9780, which no [[listen]] has" in line for line in lines)
    assert any(f"does not listen at {tmp_path}/s" in line for line in lines)
    assert sum(line.startswith("problem: ") for line in lines) == 2


def test_keys_of_systemd_are_fixed_for_a_run(tmp_path: Path):
    tree = settings(tmp_path, {"default": {"keys": [f"{tmp_path}/keys"]}})
    assert "decrypted at the start alone" not in "".join(found(None, tree))
    assert "decrypted at the start alone" in "".join(found(None, tree, CREDENTIALS_DIRECTORY=str(tmp_path)))


def test_a_manager_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    command = tmp_path / "systemctl"
    command.write_text("#!/bin/sh\nexec sleep 30\n")
    command.chmod(0o755)
    monkeypatch.setattr(manager, "SYSTEMD", tmp_path)
    monkeypatch.setattr(manager, "_TIMEOUT", 0.2)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(TimeoutError):
        manager.show()


def test_without_the_command_there_is_nobody_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(manager, "SYSTEMD", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert manager.show() is None
    monkeypatch.setattr(manager, "SYSTEMD", tmp_path / "none")
    assert manager.show() is None
