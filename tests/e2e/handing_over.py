"""Becomes a command that finds inherited sockets at 3 and on, as systemd leaves them.

`handing_over.py NUMBER... -- CMD...`: the numbers are those of the sockets here.
"""

import os
import sys


def main() -> None:
    """Entry."""
    at = sys.argv.index("--")
    numbers = [int(word) for word in sys.argv[1:at]]
    for index, number in enumerate(numbers):
        os.dup2(number, 3 + index, inheritable=True)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = str(len(numbers))
    os.environ["LISTEN_FDNAMES"] = ":".join(f"socket{index}" for index in range(len(numbers)))
    command = sys.argv[at + 1 :]
    os.execvp(command[0], command)  # noqa: S606  (it becomes the broker, as a service's process does)


if __name__ == "__main__":
    main()
