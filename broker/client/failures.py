"""What can end a client's request, each with its exit code (INTERFACE section 2)."""

NOTHING_TO_SEE = (
    "there is no identity that you may see; you need a grant (docs/configure.md), "
    "or ask as the broker's own user, or as root outside of any container"
)


class ClientError(Exception):
    """One plain sentence with the remedy; where the broker has refused, with its `code` too (see docs/use.md)."""

    exit_code = 1
    code: str | None = None
    retry_after: float | None = None
    """Seconds after which asking again makes sense, where the broker told."""


class Unreachable(ClientError):
    """There is no broker to ask, or it has no usable token."""

    exit_code = 69


class Away(Unreachable):
    """Nobody serves there now: a broker that is being restarted comes back."""


class BadAddress(Unreachable):
    """The user named a place where no broker can be: waiting does not help."""


class Denied(ClientError):
    """The broker will not serve this caller."""

    exit_code = 77
