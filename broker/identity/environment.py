"""An access key from the environment, in KakaoCloud's or in OpenStack's variables.

- Both families may be set only when they give the same key.
- The environment is read once. Then every secret in it is overwritten in place and unset, so that neither /proc nor a
  child process has it; ids and names stay. The source keeps the key and cannot be reloaded.
- An empty id or name counts as not set, as `VARIABLE=` in a compose file means it.
"""

import os
from collections.abc import Mapping, MutableMapping

from broker.core.errors import ConfigError, Problem
from broker.core.model import AccessKey
from broker.core.secret import Secret
from broker.identity.block import overwrite
from broker.identity.fields import Place, key_of

KAKAOCLOUD = {
    "id": "KAKAOCLOUD_APPLICATION_CREDENTIAL_ID",
    "secret": "KAKAOCLOUD_APPLICATION_CREDENTIAL_SECRET",
}
OPENSTACK = {
    "id": "OS_APPLICATION_CREDENTIAL_ID",
    "name": "OS_APPLICATION_CREDENTIAL_NAME",
    "user_id": "OS_USER_ID",
    "secret": "OS_APPLICATION_CREDENTIAL_SECRET",
}
FAMILIES = (KAKAOCLOUD, OPENSTACK)
SECRETS = (KAKAOCLOUD["secret"], OPENSTACK["secret"])
WHERE = "the environment"
EXPORT = f"export {KAKAOCLOUD['id']} and {KAKAOCLOUD['secret']}"


def is_set(family: Mapping[str, str], environ: Mapping[str, str]) -> bool:
    """Whether these variables mean to give a key; OS_USER_ID alone is there for passwords."""
    return any(environ.get(family[field]) for field in ("id", "name", "secret") if field in family)


class EnvironmentSource:
    """The key of this process's environment."""

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        """Reads nothing yet; `environ` stands for the process's own in tests."""
        self._environ = os.environ if environ is None else environ
        self._held: AccessKey | tuple[Problem, ...] | None = None

    @property
    def where(self) -> str:
        return WHERE

    def read(self) -> AccessKey:
        """The key that was in the environment at the first call; raises ConfigError, then at each call."""
        if self._held is None:
            try:
                self._held = _key(self._environ)
            except ConfigError as error:
                self._held = error.problems
            self._forget()
        if isinstance(self._held, tuple):
            raise ConfigError(*self._held)
        return self._held

    def _forget(self) -> None:
        if self._environ is os.environ:
            overwrite(SECRETS)
        for name in SECRETS:
            self._environ.pop(name, None)


def _key(environ: Mapping[str, str]) -> AccessKey:
    problems: list[Problem] = []
    keys = []
    for family in FAMILIES:
        if is_set(family, environ):
            try:
                keys.append(key_of(_fields(family, environ), _place(family)))
            except ConfigError as error:
                problems += error.problems
    if problems:
        raise ConfigError(*problems)
    if not keys:
        raise ConfigError(Problem(WHERE, "holds no access key", EXPORT))
    if keys[0] != keys[-1]:
        what = "the variables KAKAOCLOUD_APPLICATION_CREDENTIAL_* and OS_APPLICATION_CREDENTIAL_* give different keys"
        raise ConfigError(Problem(WHERE, what, "unset one family"))
    return keys[0]


def _fields(family: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, Secret]:
    texts = {field: environ[name] for field, name in family.items() if name in environ}
    if not texts.get("name"):
        # Without a key's name the user's id belongs to something else.
        texts.pop("name", None)
        texts.pop("user_id", None)
    elif not texts.get("id"):
        texts.pop("id", None)
    return {field: Secret(text) for field, text in texts.items()}


def _place(family: Mapping[str, str]) -> Place:
    def called(field: str) -> str:
        return family.get(field, OPENSTACK[field])

    return Place(WHERE, at=called, called=called)
