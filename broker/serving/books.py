"""Who counts and who records what is done at the door, as the serving room knows them."""

from typing import Protocol

from broker.core.access import Workload

S3 = "s3_credentials"  # what the audit calls such a hand-out


class Meter(Protocol):
    """Who counts, see observability.metrics."""

    def requested(self, listener: str, route: str, status: int, times: int = 1) -> None: ...
    def refused(self, reason: str) -> None: ...
    def served(self, identity: str, listener: str, times: int = 1) -> None: ...
    def lag(self, seconds: float) -> None: ...
    def exposition(self, accept: str, now: float) -> tuple[bytes, str]: ...


class Witness(Protocol):
    """Who writes down refusals, see observability.refusals."""

    def tell(self, reason: str, caller: Workload | None, listener: str, route: str, now: float) -> None: ...


class Auditor(Protocol):
    """Who records each hand-out and refusal, see observability.audit."""

    def handed(
        self,
        caller: Workload,
        identity: str,
        by: str,
        digest: str,
        life: float,
        now: float,
        times: int = 1,
        what: str = "token",
    ) -> None: ...
    def refused(
        self,
        caller: Workload | None,
        listener: str,
        identity: str | None,
        reason: str,
        by: str,
        now: float,
    ) -> None: ...


class Unheard:
    """An auditor that records nothing."""

    def handed(self, *told: object, **more: object) -> None:
        """A token was handed out."""

    def refused(self, *told: object, **more: object) -> None:
        """A request was refused."""
