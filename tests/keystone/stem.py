"""A process that has imported Keystone, and as often as it is asked becomes a server: by a copy of itself, within a second.

- Importing is most of a start. What a server configures, it configures after it was copied; no two share a thing.
- It is asked over the socket on its standard input: for a copy, whose three streams come with the message, or for the
  end of one. It answers with the copy's pid, or with its exit code.
- It ends when the other end of that socket does.
"""

import json
import os
import signal
import socket
import sys
import traceback
from typing import Any

from tests.keystone.cloud import load
from tests.keystone.server import serve

MESSAGE = 4096  # bytes that a message has at most


def main() -> None:
    """Import, then do as asked until nobody can ask any more."""
    load()
    channel = socket.socket(fileno=os.dup(0))
    while True:
        message, streams, _, _ = socket.recv_fds(channel, MESSAGE, 3)
        if not message:
            return
        asked = json.loads(message)
        if asked["do"] == "end":
            answer = _end(asked["pid"])
        else:
            answer = os.fork()
            if answer == 0:
                channel.close()
                _become(asked, streams)
        for stream in streams:
            os.close(stream)
        channel.send(str(answer).encode())


def _end(pid: int) -> int:
    """Kill a copy, if it has not ended by itself; its exit code, negative for a signal."""
    os.kill(pid, signal.SIGKILL)  # ours until it is waited for, so never another's
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become(asked: dict[str, Any], streams: list[int]) -> None:
    """Serve, and never return: what comes after the fork is the other process's."""
    try:
        for standard, stream in enumerate(streams):
            os.dup2(stream, standard)
            os.close(stream)
        serve(asked["options"], asked["password"])
    except BaseException:  # noqa: BLE001  (whatever it was, the log tells it)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
