"""An example application: it asks the broker for a token each time, and IAM for its projects with it. It has no key.

application.py URL [TIMES]
"""

import itertools
import json
import sys
import time
import urllib.request

from broker.client import TokenClient

EVERY = 5.0  # seconds


def projects(url: str) -> list[str]:
    """The names of the projects that the token is good for."""
    token = TokenClient().token(min_ttl=60)
    request = urllib.request.Request(url, headers={"X-Auth-Token": token.value.reveal()})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return [each["name"] for each in json.load(answer)["projects"]]


def main() -> None:
    """Show them now and then, for ever or so many times."""
    url, *times = sys.argv[1:]
    for count in itertools.count(1):
        print("projects:", *projects(url), flush=True)
        if times and count >= int(times[0]):
            return
        time.sleep(EVERY)


if __name__ == "__main__":
    main()
