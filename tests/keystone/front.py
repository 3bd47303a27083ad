"""The WSGI layer before Keystone: what KakaoCloud adds to it, what its threads need, and an honest count.

- It puts the application under `/identity`, as KakaoCloud does.
- KakaoCloud refuses a POST without `Content-Type: application/json`; plain Keystone accepts an absent one.
- Keystone keeps a cache for each request on the thread, and a server's threads outlive a request: without
  dropping it, a revoked token is sometimes still good.
- One request at a time: SQLite answers parallel writers with "database is locked". At 15 ms a request, the
  interpreter's own lock gains nothing anyway.
- The ledger counts what workloads asked, not the admin's password logins, and outlives a restart of the server.
"""

import io
import json
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/identity"


class Ledger:
    """Every `POST /auth/tokens` with an application credential: when it was answered, and with what."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[tuple[float, int]] = []
        # Wall time that never steps back: the monotonic clock, anchored once.
        self._anchor = time.time() - time.monotonic()
        if path.exists():
            self._rows = [(row[0], row[1]) for row in map(json.loads, path.read_text().splitlines())]

    def add(self, status: int) -> None:
        row = (self._anchor + time.monotonic(), status)
        self._rows.append(row)
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def counts(self) -> dict[str, int]:
        return {"requests": len(self._rows), "issued": len(self.issues())}

    def issues(self) -> list[float]:
        return [moment for moment, status in self._rows if status == 201]


class Front:
    """Answers the test's own questions and passes the rest to Keystone, one at a time."""

    def __init__(
        self,
        keystone: "WSGIApplication",
        ledger: Ledger,
        *,
        forget_request: Callable[[], None],
        require_content_type: bool,
    ) -> None:
        self._keystone = keystone
        self._ledger = ledger
        self._forget_request = forget_request
        self._require_content_type = require_content_type
        self._one_at_a_time = threading.Lock()

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/_test/counts":
            return _answer(start, "200 OK", self._ledger.counts())
        if path == "/_test/issues":
            return _answer(start, "200 OK", self._ledger.issues())
        if path != PREFIX and not path.startswith(PREFIX + "/"):
            return _answer(start, "404 Not Found", "<html>no such path</html>", content_type="text/html")
        environ["SCRIPT_NAME"] = PREFIX
        environ["PATH_INFO"] = path.removeprefix(PREFIX)
        with self._one_at_a_time:
            return self._count(environ, start)

    def _count(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        counted = _issues_with_access_key(environ)
        status = 0

        def note(line: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:  # noqa: ANN401 - WSGI's exc_info
            nonlocal status
            status = int(line.split(maxsplit=1)[0])
            return start(line, headers, *rest)

        # Drained here, so that the application has finished when the lock is let go.
        body = list(self._ask(environ, note))
        if counted:
            self._ledger.add(status)
        return body

    def _ask(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        content_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        if (
            self._require_content_type
            and environ["REQUEST_METHOD"] == "POST"
            and content_type != "application/json"
        ):
            error = {"code": 400, "message": "Content-Type must be application/json.", "title": "Bad Request"}
            return _answer(start, "400 Bad Request", {"error": error})
        self._forget_request()
        return self._keystone(environ, start)


def _issues_with_access_key(environ: "WSGIEnvironment") -> bool:
    """Whether this asks for a token with an application credential; the body stays readable for Keystone."""
    if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"].rstrip("/") != "/v3/auth/tokens":
        return False
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    try:
        return "application_credential" in json.loads(body)["auth"]["identity"]["methods"]
    except (ValueError, KeyError, TypeError):
        return False


def _answer(
    start: "StartResponse", status: str, content: object, *, content_type: str = "application/json"
) -> list[bytes]:
    body = (content if isinstance(content, str) else json.dumps(content)).encode()
    start(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]
