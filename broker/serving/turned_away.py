"""What is done about a refusal at the door, whichever stage decided it: counted, logged and audited in this one place.

Not about 503, which is IAM's trouble and told elsewhere.
"""

from broker.core.access import Workload
from broker.serving.context import Desk
from broker.serving.doorway import Doorway, Serve

NO_ROUTE = "other"


def turned_away(
    desk: Desk,
    doorway: Doorway,
    caller: Workload | None,
    reason: str,
    by: str,
    route: str = NO_ROUTE,
    identity: str | None = None,
) -> None:
    """`by` is the gate or rule that decided; `identity` is one of the configuration, never a stranger's word."""
    now = desk.clock.now()
    desk.meter.refused(reason)
    desk.witness.tell(reason, caller, doorway.label, route, now)
    if Serve.TOKENS in doorway.serve:
        desk.auditor.refused(caller, doorway.label, identity, reason, by, now)
