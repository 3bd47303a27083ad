"""What the broker keeps of what it has done: its memory before and after millions of requests and hundreds of refreshes."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager

from bench.speed import goals
from bench.speed.bench import Bench
from bench.speed.contenders import OURS
from bench.speed.daemon import LIFTED, Broker, broker
from bench.speed.emulator import Emulator, emulator
from bench.speed.figures import Figure
from bench.speed.generator import Work
from bench.speed.resident import rss

_IDENTITIES = 20
_LIFE = "5s"  # so that each token is replaced after half of that
_WARM_REQUESTS, _WARM_REFRESHES = 100_000, 60
_REQUESTS, _REFRESHES = 2_000_000, 200
_STRIDE = 5.0  # seconds of load, between which time and counts are looked at
_SETTLES = 2.0
_SHARE = 0.6  # of the time that is left
# With much time it is done three times over: what is kept for good grows in each lap, what only comes to rest does not.
_LAPS = 3
_MUCH = 900.0  # seconds


def growth(bench: Bench) -> Iterator[Figure]:
    """MiB that it is bigger after all this; fewer requests where there is no time for more."""
    more, requests, refreshes = [], 0, 0
    with emulator() as iam, _started(bench, iam) as up:
        _work(bench, up, iam, _WARM_REQUESTS, _WARM_REFRESHES, bench.left * _SHARE / 4)
        for _ in range(_LAPS if bench.left > _MUCH else 1):
            before = rss(up.pid)
            requests, refreshes = _work(bench, up, iam, _REQUESTS, _REFRESHES, bench.left * _SHARE)
            more.append((rss(up.pid) - before) / 1024)
    if requests < _REQUESTS:
        bench.skipped.append(f"growth over {_REQUESTS:,} requests: there was time for {requests:,}")
    name = f"growth, {requests / 1e6:.1f} million requests, {refreshes} refreshes"
    yield Figure(name, OURS, "MiB", tuple(more), goal=goals.GROWTH)


def _started(bench: Bench, iam: Emulator) -> AbstractContextManager[Broker]:
    iam.live(_LIFE)
    return broker(bench.new_folder(), iam, _IDENTITIES, command=LIFTED)


def _work(
    bench: Bench, up: Broker, iam: Emulator, requests: int, refreshes: int, seconds: float
) -> tuple[int, int]:
    """At least so many requests and refreshes, or what there is time for; how many it were."""
    until, had, done = time.monotonic() + seconds, iam.issued(), 0
    while (done < requests or iam.issued() - had < refreshes) and time.monotonic() < until:
        work = Work(seconds=_STRIDE, warm_up=0.0, most=max(requests - done, 200_000))
        done += bench.load(f"{OURS}, growing", up.target(paths=("/v1/token", *up.paths())), work).requests
        bench.tell(f"growth: {done:,} requests, {iam.issued() - had} refreshes, {rss(up.pid) / 1024:.1f} MiB")
    time.sleep(_SETTLES)
    return done, iam.issued() - had
