"""A server that looks like a Kubernetes API as far as kubectl asks for its version: over TLS, for who shows a token that lives."""

import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.tls import ServerTls

VERSION = {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}


@contextmanager
def cluster(tls: ServerTls, keystone: str) -> Iterator[tuple[str, list[str]]]:
    """Its address, and the tokens that it was shown; it asks Keystone whether each lives."""
    shown: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            shown.append(token)
            body = json.dumps(VERSION).encode()
            self.send_response(200 if _lives(keystone, token) else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.cert, tls.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}", shown
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _lives(keystone: str, token: str) -> bool:
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    request = urllib.request.Request(f"{keystone}/auth/tokens?nocatalog", headers=headers)  # noqa: S310  (http)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
