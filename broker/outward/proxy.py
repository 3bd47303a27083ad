"""Which proxy the environment names for a server: https_proxy, http_proxy, no_proxy.

- Read for each request, and never used for loopback: what stands on this host is not behind a proxy.
- A proxy's address may hold its password, so it is never repeated, not even when it is wrong.
"""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from broker.core.errors import Fault, IamError
from broker.outward.address import is_loopback
from broker.outward.peer import Peer


def proxy_for(peer: Peer, url: str) -> str | None:
    """The proxy for a good address, None for the direct way. Raises IamError when it is named but unusable."""
    parts = urlsplit(url)
    if is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc):
        return None
    proxy = getproxies().get(parts.scheme)
    if not proxy:
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not _usable(proxy):
        raise IamError(
            Fault.UNAVAILABLE,
            f"the proxy named by {parts.scheme}_proxy is not an http:// address; correct it, "
            f"or exempt {peer.name} by no_proxy",
        )
    return proxy


def _usable(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and port != 0
