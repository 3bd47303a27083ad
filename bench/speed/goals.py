"""What the broker has to reach, and what it aims at; ratios where there is a reference, else in the figure's own unit."""

from bench.speed.figures import Goal

KEEP_UNIX = Goal(2.0, 3.0, at_least=True)  # the aim is nginx where it was measured
CONNECT_UNIX = Goal(1.15, 1.5, at_least=True)
KEEP_TCP = Goal(1.7, 2.8, at_least=True)
CONNECT_TCP = Goal(1.1, 1.5, at_least=True)
CPU_KEEP = Goal(0.6, 0.26)
CPU_CONNECT = Goal(0.85, 0.57)
P99 = Goal(1.3, 1.0)
LANE = Goal(8.0, 13.0, at_least=True)
COLD_START = Goal(2.2, 1.6)
TOKEN_COMMAND = Goal(2.0, 1.4)
AT_REST = Goal(1.7, 1.4)
IDLE_CONNECTION = Goal(2.0, 0.5)  # KiB each
GROWTH = Goal(1.0)  # MiB
TICK = Goal(5.0)  # ms
# That the cost of a request stays flat: it may grow by what one measurement differs from the next.
FLAT = Goal(1.25, 1.0)
NO_STALL = Goal(0.1)  # seconds of loop lag; beyond it the page on observing has somebody look
