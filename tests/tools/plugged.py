"""A session of keystoneauth1 by the broker's plugin, that lives on; run by the tools' own Python, so nothing of the tests is here.

It says the token that it has and what a request to a service has brought, on a line; then it waits to be told to go on.
"""

import json
import sys
from typing import Any

import openstack  # type: ignore[import-not-found]  # it lives in an environment of its own, where this runs
from keystoneauth1.loading import get_plugin_loader
from keystoneauth1.session import Session


def by_name() -> Session:
    """The plugin as keystoneauth1 finds it."""
    plugin: Any = get_plugin_loader("v3kakaocloudbroker").load_from_options(identity="default")
    return Session(auth=plugin)


def by_sdk() -> Any:  # noqa: ANN401  (the SDK ships types of its own, in another environment)
    """By openstacksdk and clouds.yaml."""
    return openstack.connect(cloud="kakaocloud").session


def main() -> None:
    """Entry: `sdk` or `plugin`."""
    session = by_sdk() if sys.argv[1] == "sdk" else by_name()
    while True:
        path = f"/users/{session.get_user_id()}/projects"
        identity = {"service_type": "identity", "interface": "public"}
        answer = session.get(path, endpoint_filter=identity, raise_exc=False)
        projects = [project["id"] for project in answer.json().get("projects", [])]
        daemon = sorted(
            {"aiohttp", "pydantic", "structlog", "broker.serving", "broker.keeper"} & set(sys.modules)
        )
        told = {
            "token": session.get_token(),
            "status": answer.status_code,
            "projects": projects,
            "daemon": daemon,
        }
        print(json.dumps(told), flush=True)  # noqa: T201  (this is what it is for)
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    main()
