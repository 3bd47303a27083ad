"""Programs that log in once and go on for long, one of each kind; run by the tools' own Python, so nothing of the tests is here.

Each says the token that it has and the status of a request to a service, on a line; then it waits to be told to go on, and
makes that request once more, by whatever the library does when its token is refused.
"""

import json
import os
import sys
from typing import Any

import openstack  # type: ignore[import-not-found]  # it lives in an environment of its own, where this runs
from keystoneauth1 import loading
from keystoneauth1.session import Session


def keystoneauth(kind: str, **options: str) -> Session:
    """A session of keystoneauth1 with this plugin."""
    plugin: Any = loading.get_plugin_loader(kind).load_from_options(
        auth_url=os.environ["OS_AUTH_URL"], **options
    )
    return Session(auth=plugin)


def by_credential() -> Session:
    """By the variables that stand for an application credential."""
    return keystoneauth(
        "v3applicationcredential",
        application_credential_id=os.environ["OS_APPLICATION_CREDENTIAL_ID"],
        application_credential_secret=os.environ["OS_APPLICATION_CREDENTIAL_SECRET"],
    )


def by_token(kind: str, **scope: str) -> Session:
    """By OS_TOKEN, which such plugins exchange for a token."""
    return keystoneauth(kind, token=os.environ["OS_TOKEN"], **scope)  # --with-token


def by_sdk() -> Any:  # noqa: ANN401  (the SDK ships types of its own, in another environment)
    """By openstacksdk, from the environment alone."""
    return openstack.connect().session


WAYS = {
    "keystoneauth1 v3applicationcredential": by_credential,
    "keystoneauth1 v3token": lambda: by_token("v3token"),
    "keystoneauth1 v3token with its project as scope": lambda: by_token("v3token", project_id=sys.argv[2]),
    "keystoneauth1 token": lambda: by_token("token"),
    "openstacksdk": by_sdk,
}


def main() -> None:
    """Entry: the way, and the project's id."""
    session = WAYS[sys.argv[1]]()
    while True:
        path = f"/users/{session.get_user_id()}/projects"
        identity = {"service_type": "identity", "interface": "public"}
        answer = session.get(path, endpoint_filter=identity, raise_exc=False)
        projects = [project["id"] for project in answer.json().get("projects", [])]
        told = {"token": session.get_token(), "status": answer.status_code, "projects": projects}
        print(json.dumps(told), flush=True)  # noqa: T201  (this is what it is for)
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    main()
