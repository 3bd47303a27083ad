"""Trouble with IAM, translated into the broker's words (invariant L7); pure.

- 401, and a 404 in Keystone's own shape, mean dead; a 404 of anyone else means a wrong address. 403 does not mean dead.
- Details name the status and the place, never a text that came over the wire: one of Keystone's 404 messages holds the
  token itself, and an exception of the HTTP library holds the headers of its request.
"""

import ssl
from enum import StrEnum

import aiohttp

from broker.core.errors import Fault, IamError
from broker.issuer.headers import Headers, retry_after
from broker.issuer.wire import is_keystone_error

_X509_EXPIRED = 10
_X509_OTHER_HOST = frozenset({62, 64})  # by name, by address


class Operation(StrEnum):
    """What IAM is asked."""

    ISSUE = "issue"
    VALIDATE = "validate"
    PROJECTS = "projects"
    KEY = "key"
    RELAY = "relay"


def refusal(operation: Operation, status: int, headers: Headers, body: bytes) -> IamError:
    """What an answer means that is not the one asked for; `body` matters for 404 alone."""
    if status == 401 or (status == 404 and is_keystone_error(body, 404)):
        return IamError(Fault.REJECTED, _rejected(operation, status))
    if status == 429:
        return IamError(
            Fault.THROTTLED,
            "IAM asks for fewer requests (429); wait, it is asked again",
            retry_after(headers),
        )
    if status >= 500:
        return IamError(
            Fault.UNAVAILABLE, f"IAM is in trouble ({status}); wait, it is asked again", retry_after(headers)
        )
    if status == 407:
        return IamError(Fault.UNAVAILABLE, _PROXY_LOGIN)
    return IamError(Fault.PROTOCOL, _misunderstood(status), forbidden=status == 403)


def breakdown(error: Exception, where: str, *, proxied: bool) -> IamError:
    """What an exception of the network or the HTTP library means; `where` is IAM's host:port."""
    detail = _broken(error, where, proxied=proxied)
    if detail is None:
        return IamError(Fault.PROTOCOL, f"{where} does not speak HTTP as expected; is iam.url right?")
    return IamError(Fault.UNAVAILABLE, detail)


def _broken(error: Exception, where: str, *, proxied: bool) -> str | None:
    """The first that fits, the narrower kinds first."""
    match error:
        case aiohttp.ClientHttpProxyError() | aiohttp.ClientProxyConnectionError() | aiohttp.InvalidURL():
            return _proxy(error, where)
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return _tls(error, where)
        case ssl.SSLError():
            return f"the encrypted connection to {where} broke; it is tried again"
        case TimeoutError():
            return f"{where} did not answer in time; is IAM up, does a firewall swallow the way to it?"
        case aiohttp.ClientConnectorDNSError():
            return _unresolved(where, proxied=proxied)
        case aiohttp.ClientConnectorError():
            return _unconnected(error, where)
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError() | OSError() | EOFError():
            return f"{where} closed the connection before its answer was whole; it is tried again"
    return None


_PROXY_LOGIN = (
    "the proxy wants a login (407); put it into the environment's proxy variable, or exempt IAM by no_proxy"
)


def _proxy(error: Exception, where: str) -> str:
    # Every address of ours is checked before; one that the library cannot read is the proxy's.
    what = "cannot be reached"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        if error.status == 407:
            return _PROXY_LOGIN
        what = f"does not let the broker through to {where} ({error.status})"
    return f"the proxy {what}; check https_proxy, http_proxy and no_proxy in the broker's environment"


def _unresolved(where: str, *, proxied: bool) -> str:
    # Behind a proxy, only the proxy's own name is looked up here.
    if proxied:
        return "the host of the proxy cannot be resolved; check https_proxy and http_proxy in the broker's environment"
    return f"the host of {where} cannot be resolved; is iam.url right, does DNS work here?"


def _rejected(operation: Operation, status: int) -> str:
    if operation is Operation.ISSUE:
        return (
            f"IAM rejects the access key ({status}): it is deleted, expired or wrong, or its user or project is gone; "
            "create a new access key and replace it"
        )
    return (
        f"IAM rejects the token ({status}): it has ended or was revoked, or its key has access rules that leave this "
        "request out; a new token is needed, or a key without access rules"
    )


def _misunderstood(status: int) -> str:
    if 300 <= status < 400:
        return f"IAM redirects ({status}); set iam.url to the final address"
    if status == 404:
        return "the server does not know this path (404, and not in Keystone's words); check iam.url"
    if status == 403:
        return "IAM forbids this request (403); may this user, from this network, ask IAM?"
    return f"IAM answers {status}, which is not understood; check that iam.url is KakaoCloud's Keystone"


def _tls(error: Exception, where: str) -> str:
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error
    code = cause.verify_code if isinstance(cause, ssl.SSLCertVerificationError) else None
    if code in _X509_OTHER_HOST:
        return f"the certificate of {where} is for another host; is iam.url right?"
    if code == _X509_EXPIRED:
        return f"the certificate of {where} has expired; renew it, or check this host's clock"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate of {where} is not trusted; if it comes from a private CA, name that in iam.ca_file"
    return f"no TLS 1.2 or better with {where}; does iam.url name an https port?"


def _unconnected(error: aiohttp.ClientConnectorError, where: str) -> str:
    if isinstance(error.os_error, ConnectionRefusedError):
        return f"{where} refuses connections; is IAM up, is iam.url right?"
    return f"{where} cannot be reached; is IAM up, is there a way to it from here?"
