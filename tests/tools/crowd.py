"""Forty sessions of keystoneauth1 in one process, each with a thread of its own; run by the tools' own Python.

Each asks a service; then, told to go on, each asks again at once, by whatever the library does when its token is refused.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from keystoneauth1 import loading
from keystoneauth1.session import Session

MANY = 40
IDENTITY = {"service_type": "identity", "interface": "public"}


def session() -> Session:
    """One that logs in by itself."""
    loader: Any = loading.get_plugin_loader("v3applicationcredential")
    names = ("auth_url", "application_credential_id", "application_credential_secret")
    return Session(
        auth=loader.load_from_options(**{name: os.environ[f"OS_{name.upper()}"] for name in names})
    )


def asked(session: Session) -> tuple[int, str, list[str]]:
    """The status, the token that it has then, and what it got."""
    path = f"/users/{session.get_user_id()}/projects"
    answer = session.get(path, endpoint_filter=IDENTITY, raise_exc=False)
    projects = [project["id"] for project in answer.json().get("projects", [])]
    return answer.status_code, str(session.get_token()), projects


def main() -> None:
    """Entry."""
    sessions = [session() for _ in range(MANY)]
    with ThreadPoolExecutor(MANY) as threads:
        while True:
            answers = [*threads.map(asked, sessions)]
            worst, token, projects = max(answers)
            told = {"status": worst, "token": token, "projects": projects}
            told["tokens"] = len({answer[1] for answer in answers})
            print(json.dumps(told), flush=True)  # noqa: T201  (this is what it is for)
            if not sys.stdin.readline():
                return


if __name__ == "__main__":
    main()
