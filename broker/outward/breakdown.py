"""What an exception of the network or of the HTTP library means, in the broker's words (invariant L7); pure.

Details name the place and the remedy, never a text of the exception: one of the library's holds its request's headers.
"""

import ssl

import aiohttp

from broker.core.errors import Fault, IamError
from broker.outward.peer import Peer

_X509_EXPIRED = 10
_X509_OTHER_HOST = frozenset({62, 64})  # by name, by address


def breakdown(peer: Peer, error: Exception, where: str, *, proxied: bool) -> IamError:
    """What came instead of an answer; `where` is the peer's host:port."""
    detail = _broken(peer, error, where, proxied=proxied)
    if detail is None:
        return IamError(Fault.PROTOCOL, f"{where} does not speak HTTP as expected; is {peer.url} right?")
    return IamError(Fault.UNAVAILABLE, detail)


def proxy_login(peer: Peer) -> str:
    """The remedy where the proxy answers 407."""
    return (
        "the proxy wants a login (407); put it into the environment's proxy variable, "
        f"or exempt {peer.name} by no_proxy"
    )


def _broken(peer: Peer, error: Exception, where: str, *, proxied: bool) -> str | None:
    """The first that fits, the narrower kinds first."""
    match error:
        case aiohttp.ClientHttpProxyError() | aiohttp.ClientProxyConnectionError() | aiohttp.InvalidURL():
            return _proxy(peer, error, where)
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return _tls(peer, error, where)
        case ssl.SSLError():
            return f"the encrypted connection to {where} broke; it is tried again"
        case TimeoutError():
            return (
                f"{where} did not answer in time; is {peer.name} up, does a firewall swallow the way to it?"
            )
        case aiohttp.ClientConnectorDNSError():
            return _unresolved(peer, where, proxied=proxied)
        case aiohttp.ClientConnectorError():
            return _unconnected(peer, error, where)
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError() | OSError() | EOFError():
            return f"{where} closed the connection before its answer was whole; it is tried again"
    return None


def _proxy(peer: Peer, error: Exception, where: str) -> str:
    # Every address of ours is checked before; one that the library cannot read is the proxy's.
    what = "cannot be reached"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        if error.status == 407:
            return proxy_login(peer)
        what = f"does not let the broker through to {where} ({error.status})"
    return f"the proxy {what}; check https_proxy, http_proxy and no_proxy in the broker's environment"


def _unresolved(peer: Peer, where: str, *, proxied: bool) -> str:
    # Behind a proxy, only the proxy's own name is looked up here.
    if proxied:
        return "the host of the proxy cannot be resolved; check https_proxy and http_proxy in the broker's environment"
    return f"the host of {where} cannot be resolved; is {peer.url} right, does DNS work here?"


def _tls(peer: Peer, error: Exception, where: str) -> str:
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error
    code = cause.verify_code if isinstance(cause, ssl.SSLCertVerificationError) else None
    if code in _X509_OTHER_HOST:
        return f"the certificate of {where} is for another host; is {peer.url} right?"
    if code == _X509_EXPIRED:
        return f"the certificate of {where} has expired; renew it, or check this host's clock"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate of {where} is not trusted; if it comes from a private CA, name that in {peer.ca_file}"
    return f"no TLS 1.2 or better with {where}; does {peer.url} name an https port?"


def _unconnected(peer: Peer, error: aiohttp.ClientConnectorError, where: str) -> str:
    if isinstance(error.os_error, ConnectionRefusedError):
        return f"{where} refuses connections; is {peer.name} up, is {peer.url} right?"
    return f"{where} cannot be reached; is {peer.name} up, is there a way to it from here?"
