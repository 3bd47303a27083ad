"""What a reload changes: which new settings a running broker takes over, and which wait for a restart.

- Identities, their keys and client secrets, the grants, token files, the limits of listeners and the log's level are
  taken over at once.
- Whatever else differs is named and left as it is, so that what runs is always one of the two, and it is known which.
- A key is sent to no other IAM than the one it was written for: an identity for which IAM would be another one keeps
  its keys until the restart, and a new one is not added before it. A client secret is sent to nobody.
- A listener that the new settings no longer have stays open until the restart, and keeps its limit.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import BaseModel

from broker.core.access import Owner
from broker.settings.files import File, identity_of
from broker.settings.identities import Identity
from broker.settings.listeners import Listener
from broker.settings.tree import Settings

# Fields of an identity: taken over where its IAM stays the same, and wherever it is.
_KEYS = frozenset({"keys", "key_expires_at"})
_OURS = frozenset({"client_secret_file"})
_BY_FIELD = ("iam", "serving", "log")  # sections whose fields are named one by one
# Any will do: it is the same on both sides.
_OWNER = Owner(0, in_container=False)


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference between the settings that run and new ones; nothing secret."""

    added: tuple[str, ...] = ()  # names of identities
    removed: tuple[str, ...] = ()
    rekeyed: tuple[str, ...] = ()  # other sources of keys, another order of them, or another end
    client_secrets: tuple[str, ...] = ()  # known ones whose client secret is in another file, or in none
    grants: bool = False  # who may read, the limits of listeners included
    files: bool = False  # token files
    log_level: bool = False
    needs_restart: tuple[str, ...] = ()  # dotted names of settings


def compare(running: Settings, new: Settings) -> Changes:
    """What is to be done; `running` is what `taken_over` gave last, so that what waits is named at each reload."""
    taken = taken_over(running, new)
    before, after = running.identities, taken.identities
    return Changes(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        rekeyed=tuple(_changed(before, after, _KEYS)),
        client_secrets=tuple(_changed(before, after, _OURS)),
        grants=running.policy(_OWNER) != taken.policy(_OWNER),
        files=running.files != taken.files,
        log_level=running.log.level != taken.log.level,
        needs_restart=tuple(_waiting(running, new)),
    )


def taken_over(running: Settings, new: Settings) -> Settings:
    """The settings that hold after the reload: of the new ones what can be had now, of the running ones the rest."""
    identities = {}
    for name, identity in new.identities.items():
        known = running.identities.get(name)
        same = _same_iam(running, new, name)
        if known is not None:
            live = _KEYS | _OURS if same else _OURS
            identities[name] = known.model_copy(update={field: getattr(identity, field) for field in live})
        elif same:
            identities[name] = identity
    return running.model_copy(
        update={
            "identities": MappingProxyType(identities),
            "grants": new.grants,
            "files": tuple(_files(new, identities)),
            "listen": tuple(_limited(listener, new) for listener in running.listen),
            "log": running.log.model_copy(update={"level": new.log.level}),
        }
    )


def _files(new: Settings, identities: Mapping[str, Identity]) -> Iterator[File]:
    """Those of identities that run; a name that stands for another one while that waits is made plain."""
    for file in new.files:
        identity = identity_of(file, new.identities)
        if identity in identities:
            yield file.model_copy(update={"identity": identity})


def _changed(
    before: Mapping[str, Identity], after: Mapping[str, Identity], fields: frozenset[str]
) -> Iterator[str]:
    """The identities on both sides of which one of these fields differs."""
    for name in after:
        if name in before and not fields.isdisjoint(_differing(before[name], after[name])):
            yield name


def _same_iam(running: Settings, new: Settings, name: str) -> bool:
    """Whether the running broker would send this identity's keys where the new settings do."""
    here = running if name in running.identities else new.model_copy(update={"iam": running.iam})
    return all(
        getattr(here.iam_of(name), field) == getattr(new.iam_of(name), field)
        for field in ("url", "ca_file", "insecure")
    )


def _limited(listener: Listener, new: Settings) -> Listener:
    for other in new.listen:
        if other.label == listener.label:
            return listener.model_copy(update={"identities": other.identities})
    return listener


def _waiting(running: Settings, new: Settings) -> Iterator[str]:
    """In the order of the tree; a section that this file does not know waits as a whole."""
    for section in Settings.model_fields:
        old, now = getattr(running, section), getattr(new, section)
        if section in _BY_FIELD:
            differing = (f"{section}.{field}" for field in _differing(old, now))
            yield from (name for name in differing if name != "log.level")
        elif section == "identities":
            yield from _waiting_identities(running, new)
        elif section == "listen":
            if _unlimited(running) != _unlimited(new):
                yield section
        elif section == "files":
            yield from _waiting_files(running, new)
        elif section != "grants" and old != now:
            yield section


def _waiting_files(running: Settings, new: Settings) -> Iterator[str]:
    taken = taken_over(running, new).identities
    for index, file in enumerate(new.files):
        if identity_of(file, new.identities) not in taken:
            yield f"files[{index}]"


def _waiting_identities(running: Settings, new: Settings) -> Iterator[str]:
    for name, identity in new.identities.items():
        known = running.identities.get(name)
        held_back = not _same_iam(running, new, name)
        if known is None:
            if held_back:
                yield f"identities.{name}"
            continue
        for field in _differing(known, identity):
            if field not in _OURS and (field not in _KEYS or held_back):
                yield f"identities.{name}.{field}"


def _differing(old: BaseModel, new: BaseModel) -> Iterator[str]:
    return (field for field in type(new).model_fields if getattr(old, field) != getattr(new, field))


def _unlimited(settings: Settings) -> dict[str, Listener]:
    """The listeners without their limits, in whatever order they stand."""
    return {listener.label: listener.model_copy(update={"identities": None}) for listener in settings.listen}
