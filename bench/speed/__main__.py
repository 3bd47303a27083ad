"""`python -m bench.speed`."""

import sys

from bench.speed.command import main

if __name__ == "__main__":
    sys.exit(main())
