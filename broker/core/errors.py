"""Trouble, named after the reaction to it.

A `Fault` is what went wrong between the broker and IAM; a `Code` is what a workload is told. Details are one plain
sentence with the remedy, fit for a log and for a stranger's eyes: never a body, a token or a secret.
"""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """How an attempt at IAM failed; each has one reaction (invariant L7)."""

    UNAVAILABLE = "unavailable"  # network, TLS, DNS, time-out, 5xx: keep the token, try again
    THROTTLED = "throttled"  # 429: keep the token, try again when told
    REJECTED = "rejected"  # 401 and Keystone's own 404: this key is dead
    PROTOCOL = "protocol"  # an answer not understood: like unavailable, never cached


class Code(StrEnum):
    """What a workload is told; INTERFACE section 4 fixes the words. The one for 401 is told by the Keystone facade alone."""

    BAD_REQUEST = "bad_request"
    IDENTITY_REQUIRED = "identity_required"
    UNAUTHORIZED = "unauthorized"
    ACCESS_DENIED = "access_denied"
    METADATA_HEADER_MISSING = "metadata_header_missing"
    HOST_NOT_ALLOWED = "host_not_allowed"
    FORWARDED_REQUEST = "forwarded_request"
    BROWSER_REQUEST = "browser_request"
    CALLER_UNKNOWN = "caller_unknown"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    INTERNAL = "internal"
    NOT_READY = "not_ready"
    IAM_UNAVAILABLE = "iam_unavailable"
    IAM_THROTTLED = "iam_throttled"
    KEY_REJECTED = "key_rejected"
    MIN_TTL_UNAVAILABLE = "min_ttl_unavailable"


CODE_OF_FAULT = {
    Fault.UNAVAILABLE: Code.IAM_UNAVAILABLE,
    Fault.PROTOCOL: Code.IAM_UNAVAILABLE,
    Fault.THROTTLED: Code.IAM_THROTTLED,
    Fault.REJECTED: Code.KEY_REJECTED,
}


class IamError(Exception):
    """An attempt at IAM that failed, in the broker's words."""

    def __init__(
        self, fault: Fault, detail: str, retry_after: float | None = None, *, forbidden: bool = False
    ) -> None:
        """`retry_after` is IAM's own wish in seconds, where it gave one; `forbidden`: it was a 403."""
        super().__init__(detail)
        self.fault = fault
        self.detail = detail
        self.retry_after = retry_after
        self.forbidden = forbidden


class StoreError(Exception):
    """Something could not be kept for the next start; its text is one sentence with the remedy."""


class Refusal(Exception):
    """A request that gets no token, with what its sender is told."""

    def __init__(self, code: Code, detail: str, retry_after: float | None = None, *, by: str = "") -> None:
        """`retry_after` is in seconds from now, where waiting helps; `by` is the gate or rule that decided, for the audit."""
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.by = by


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the configuration, as one line for its administrator."""

    where: str  # the file and key, or the variable
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


class ConfigError(Exception):
    """The configuration cannot be used; every problem found is listed, not only the first."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
