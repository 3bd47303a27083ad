"""What can end a client's request, each with its exit code (INTERFACE section 2)."""

NOTHING_TO_SEE = (
    "there is no identity that you may see; you need a grant (docs/configure.md), "
    "or ask as the broker's own user, or as root outside of any container"
)


class ClientError(Exception):
    """One plain sentence with the remedy."""

    exit_code = 1


class Unreachable(ClientError):
    """There is no broker to ask, or it has no usable token."""

    exit_code = 69


class BadAddress(Unreachable):
    """The user named a place where no broker can be: waiting does not help."""


class Denied(ClientError):
    """The broker will not serve this caller."""

    exit_code = 77
