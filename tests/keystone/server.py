"""A real Keystone on loopback, for the process that this is from then on.

- Standard output carries exactly one line, JSON, once requests are answered; all else goes to standard error.
- It lives as long as its standard input is open: when the test dies, however it dies, the pipe closes.
"""

import argparse
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.keystone.cloud import ADMIN, forget_request, open_cloud
from tests.keystone.front import PREFIX, Front, Ledger

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

HOST = "127.0.0.1"
THREADS = 32  # more than the 20 requests that a test sends at once
IDLE = 120  # seconds; a kept-alive connection must not close under a client between two of its requests


def _read(options: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="keystone")
    parser.add_argument("folder", type=Path, help="where configuration, keys and database live")
    parser.add_argument("--life", type=int, default=43200, help="seconds that a token lives")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--require-content-type", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args(options)


def serve(options: Sequence[str], password: str) -> None:
    """Open the cloud, say so, serve until the test is gone; the password is its admin's."""
    asked = _read(options)
    ready, sys.stdout = sys.stdout, sys.stderr
    threading.Thread(target=_die_with_parent, daemon=True).start()

    # Bound before Keystone starts, since it must know its own address, and not yet listening.
    listener = _bind(asked.port)
    scheme = "https" if asked.tls_cert else "http"
    root = f"{scheme}://{HOST}:{listener.getsockname()[1]}"
    url = root + PREFIX
    cloud = open_cloud(asked.folder.resolve(), url=url, life=asked.life, password=password)
    front = Front(
        cloud.application,
        Ledger(asked.folder / "ledger.jsonl"),
        forget_request=forget_request,
        require_content_type=asked.require_content_type,
    )

    def announce() -> None:
        line = {"root": root, "url": f"{url}/v3", "admin_name": ADMIN, "admin_user_id": cloud.admin_user_id}
        line |= {"admin_project_id": cloud.admin_project_id, "domain_id": cloud.domain_id}
        print(json.dumps(line), file=ready, flush=True)

    if asked.tls_cert:
        serve_tls(front, listener, asked.tls_cert, asked.tls_key, announce)
    else:
        serve_plain(front, listener, announce)


def serve_plain(front: "WSGIApplication", listener: socket.socket, announce: Callable[[], None]) -> None:
    """HTTP, by waitress."""
    import waitress  # noqa: PLC0415 - each start pays for one server only

    server = waitress.create_server(front, sockets=[listener], threads=THREADS, channel_timeout=IDLE)
    announce()
    server.run()


def serve_tls(
    front: "WSGIApplication", listener: socket.socket, cert: Path, key: Path, announce: Callable[[], None]
) -> None:
    """HTTPS, by cheroot, which waitress cannot do."""
    from cheroot import wsgi  # noqa: PLC0415
    from cheroot.ssl.builtin import BuiltinSSLAdapter  # noqa: PLC0415

    class OnListener(wsgi.Server):  # type: ignore[misc] # cheroot is not installed beside mypy
        """Its own socket could not be bound again at once after a stop."""

        def bind(self, *_family: int) -> socket.socket:
            self.socket = self.ssl_adapter.bind(listener)
            return listener

    server = OnListener(
        listener.getsockname(), front, numthreads=THREADS, timeout=IDLE, request_queue_size=128
    )
    server.ssl_adapter = BuiltinSSLAdapter(str(cert), str(key))
    server.prepare()
    announce()
    server.serve()


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Else a second start on the same port waits for the first one's connections to be forgotten.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener


def _die_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
