"""A program on boto3 that lists a bucket again and again; run by the tools' own Python, so nothing of the tests is here.

It says what it found and with which credentials, on a line; then it waits to be told to go on.
"""

import json
import sys

import boto3  # type: ignore[import-not-found]  # it lives in an environment of its own, where this runs


def main() -> None:
    """Entry: the bucket."""
    session = boto3.Session()
    client = session.client("s3")
    while True:
        found = client.list_objects_v2(Bucket=sys.argv[1])
        used = session.get_credentials().get_frozen_credentials()
        keys = [row["Key"] for row in found["Contents"]]
        print(json.dumps({"keys": keys, "used": used.access_key, "token": used.token}), flush=True)  # noqa: T201  (this is what it is for)
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    main()
