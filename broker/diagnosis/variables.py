"""Variables of this environment that clients of the broker would trip over."""

from collections.abc import Iterator, Mapping
from urllib.request import getproxies, proxy_bypass

from broker.client import address
from broker.client.failures import BadAddress, Unreachable
from broker.diagnosis.finding import Finding, failure, ok, warning

_ABOUT = "environment"


def variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Where clients are sent, and whether a proxy stands in their way."""
    named = environ.get(address.VARIABLE)
    if named:
        try:
            yield ok(_ABOUT, f"{address.VARIABLE} sends clients to {address.find(environ)}")
        except BadAddress as error:
            yield failure(_ABOUT, error)
        except Unreachable as error:
            yield failure(_ABOUT, error, absent=True)
    yield from _proxies(getproxies())


def _proxies(proxies: Mapping[str, str]) -> Iterator[Finding]:
    """No address of one is told: it may hold a password."""
    used = [name for name in ("http", "all") if proxies.get(name)]
    if not used:
        yield ok(_ABOUT, "no proxy variable stands between clients and loopback")
        return
    missing = [host for host in ("127.0.0.1", "localhost") if not proxy_bypass(host)]
    variable = f"{used[0]}_proxy"
    if missing:
        says = f"{variable} is set, and {' and '.join(missing)} not exempt: clients would send a request for a token to the proxy"
        yield warning(_ABOUT, says, "add 127.0.0.1,::1,localhost to no_proxy")
    else:
        yield ok(_ABOUT, f"{variable} is set, and loopback is exempt by no_proxy")
