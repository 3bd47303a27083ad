"""For programs that ask the broker: no part of the daemon is imported here.

    from broker.client import TokenClient

docs/python.md shows what a program does with it. What is named here is loaded at its first use, for a command that asks for
a token lives for milliseconds, of which imports are most. So the files that commands need import at their top only what the
interpreter has loaded anyway, and `_socket`, which `socket` is built on: `socket`, `http.client`, `json`, `re`,
`typing` and `dataclasses` each take longer to load than the request takes. What only a type needs is imported for the type
checker alone, what only some requests need where they need it; `tests/cli/test_imports.py` holds that.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from broker.client.async_token_client import AsyncTokenClient
    from broker.client.destination import Insecure
    from broker.client.failures import Away, BadAddress, ClientError, Denied, Unreachable
    from broker.client.token import Named, Rejection, Token
    from broker.client.token_client import TokenClient

__all__ = [
    "AsyncTokenClient",
    "Away",
    "BadAddress",
    "ClientError",
    "Denied",
    "Insecure",
    "Named",
    "Rejection",
    "Token",
    "TokenClient",
    "Unreachable",
]

_HOME = {
    "AsyncTokenClient": "async_token_client",
    "Insecure": "destination",
    "Named": "token",
    "Rejection": "token",
    "Token": "token",
    "TokenClient": "token_client",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  (commands need none of these)

    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'failures')}"), name)
