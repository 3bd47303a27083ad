"""`python -m bench.sim`."""

import sys

from bench.sim.command import main

if __name__ == "__main__":
    sys.exit(main())
