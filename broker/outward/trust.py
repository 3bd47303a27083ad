"""Whom the broker believes to be the server that it asks: the TLS contexts, of which there is one for each set of CAs.

- A context costs about a megabyte and 25 ms, and identities mostly trust the same CAs: they share one, and no connection.
- A file that was replaced makes a new context for whoever asks from then on; who has one keeps it.
"""

import ssl
from pathlib import Path
from weakref import WeakValueDictionary

from broker.core.errors import ConfigError, Problem

_State = (
    tuple[int, int, int, int] | None
)  # of a file, as far as it tells that it was replaced; None: there is none
# Those that somebody holds.
_shared: "WeakValueDictionary[tuple[Path | None, tuple[_State, ...]], ssl.SSLContext]" = WeakValueDictionary()


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Verifying TLS, 1.2 or better, by this CA alone or by the system's; not to be changed. Raises ConfigError."""
    # Looked at before it is read: what changes in between is read anew by the next who asks, never taken for the old.
    key = (ca_file, _states(ca_file))
    context = _shared.get(key)
    if context is None:
        context = _shared[key] = _made(ca_file)
    return context


def _made(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # an SSLError is one, for a file that is no certificate
        raise ConfigError(
            Problem(
                str(ca_file),
                f"is no usable CA file ({error.strerror or 'not PEM'})",
                "name a readable PEM file with the CA's certificate as ca_file",
            )
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        # Python 3.13 began to refuse CAs that lack optional extensions, as homemade ones do. Whoever names the CA knows
        # it; the chain and the host's name are verified all the same.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # SSLKEYLOGFILE would write down the keys to the connection that carries the access key.
    context.keylog_filename = None  # type: ignore[assignment]
    return context


def _states(ca_file: Path | None) -> tuple[_State, ...]:
    if ca_file is not None:
        return (_state(ca_file),)
    system = ssl.get_default_verify_paths()
    return tuple(_state(Path(path)) for path in (system.cafile, system.capath) if path)


def _state(path: Path) -> _State:
    try:
        found = path.stat()
    except OSError:  # whoever reads it says so
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
