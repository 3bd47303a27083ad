"""What is allowed and yet worth a word to the administrator: `broker check` says it, and nothing stops."""

import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from broker.core.access import Owner, Workload
from broker.core.errors import Problem
from broker.core.model import AccessKey
from broker.core.s3 import RESTLESS
from broker.identity.sources import ENVIRONMENT
from broker.settings.listeners import UnixListener, names_tcp
from broker.settings.tree import Settings

# There while systemd is the host's manager, see sd_booted(3).
SYSTEMD = Path("/run/systemd/system")
# As this number the kernel shows every user of another user namespace that it cannot map.
_UNMAPPED = 65534
_STRANGER = -1  # a user whom no grant names


def cautions(settings: Settings) -> Iterator[Problem]:
    """Each doubt, with what would remove it."""
    if settings.iam.insecure:
        what = "lets access keys and tokens travel unencrypted"
        yield Problem("iam.insecure", what, "remove it where IAM is real")
    for name, identity in settings.identities.items():
        if ENVIRONMENT in identity.keys:
            what = "a key from env: cannot be reloaded"
            yield Problem(
                f"identities.{name}.keys", what, "name a directory or a file, which can be corrected"
            )
    if settings.validation.method == "off":
        what = "a token that was revoked is served until a client reports it or its successor is due"
        yield Problem("validation.method", what, 'choose "auth-tokens" or "projects"')
    if settings.s3.duration < RESTLESS:
        what = "AWS clients ask for others 15 minutes before the end, and so at each call"
        yield Problem("s3.duration", what, 'write at least "20m"')
    for index, listener in enumerate(settings.listen):
        if isinstance(listener, UnixListener) and _replaceable(listener.unix):
            what = f"whoever can write to {listener.unix.parent} can put a socket of their own in its place"
            yield Problem(
                f"listen[{index}].unix", what, f"run: chmod o-w {shlex.quote(str(listener.unix.parent))}"
            )
    for index, file in enumerate(settings.files):
        if _replaceable(file.path):
            what = f"whoever can write to {file.path.parent} can put another file in its place"
            yield Problem(
                f"files[{index}].path", what, f"run: chmod o-w {shlex.quote(str(file.path.parent))}"
            )
    yield from _grants(settings)
    yield from _one_proof(settings)


def same_keys(keys: Mapping[str, Sequence[AccessKey]]) -> Iterator[Problem]:
    """The identities whose second source gives no second key; `keys` are as read, by identity."""
    for name, (first, *others) in keys.items():
        for other in others:
            if other.ref == first.ref:
                same = other == first
                what = (
                    "both sources hold the same key, so that none takes over when it dies"
                    if same
                    else "both sources hold the same key with different secrets, of which one is wrong"
                )
                yield Problem(
                    f"identities.{name}.keys", what, "put another key of the project into one of them"
                )


def _grants(settings: Settings) -> Iterator[Problem]:
    for index, grant in enumerate(settings.grants):
        for key, accounts in (("users", grant.users), ("groups", grant.groups)):
            for place, account in enumerate(accounts):
                where = f"grants[{index}].{key}[{place}]"
                if account.number == 0:
                    what = "grants to root, also to that of a container which reaches the listener"
                    yield Problem(where, what, "grant to a user of its own")
                elif account.number == _UNMAPPED:
                    what = "is also what callers of foreign user namespaces look like"
                    yield Problem(where, what, "grant to a user of its own")

        if grant.units and not SYSTEMD.is_dir():
            what = "no systemd runs here, so that nobody is in a unit"
            yield Problem(f"grants[{index}].units", what, "grant to users or groups, or to a listener")
        # Where they could not match at all, that is an error.
        only_tcp = grant.listeners and all(map(names_tcp, grant.listeners))
        if only_tcp and (grant.groups or grant.units):
            what = "names groups or units, and over TCP only users are proven"
            yield Problem(f"grants[{index}]", what, "name a Unix socket too, or remove them")


def _one_proof(settings: Settings) -> Iterator[Problem]:
    """The identities to be had over TCP by being the right user, where the grants know of other users of this host."""
    users = {user.number for grant in settings.grants for user in grant.users}
    if len(users) < 2 and not any(grant.groups or grant.any for grant in settings.grants):
        return
    policy = settings.policy(Owner(_STRANGER, in_container=False))  # beside grants no owner reads
    doors = [listener.label for listener in settings.listen if listener.is_tcp and "tokens" in listener.serve]
    workloads = [Workload(user, None, None, door) for user in (*users, _STRANGER) for door in doors]
    for name, identity in settings.identities.items():
        if identity.client_secret_file is None and any(policy.may_read(one, name) for one in workloads):
            what = (
                "has no client secret, and several users share this host: unmodified OpenStack clients present a "
                "placeholder over TCP, so that the kernel's proof of the user is all that stands between them"
            )
            remedy = (
                "write what openssl rand -hex 32 prints into a file that the broker alone may read, "
                f'and name it: client_secret_file = "/etc/kakaocloud-broker/client-secrets/{name}"'
            )
            yield Problem(f"identities.{name}", what, remedy)


def _replaceable(path: Path) -> bool:
    """Whether a stranger may remove what lies there: in a sticky folder only its owner may."""
    try:
        mode = path.parent.stat().st_mode
    except OSError:  # not there yet, or hidden: the start judges it
        return False
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX
