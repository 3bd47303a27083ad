"""The tree of settings: what each is called, its kind and its default."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from broker.settings.kinds import (
    FilePath,
    Group,
    Mode,
    Name,
    SocketPath,
    SourceWords,
    Url,
    duration,
    told,
)

IAM_URL = "https://iam.kakaocloud.com/identity/v3"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Iam(_Table):
    """How IAM is asked."""

    url: Url = IAM_URL
    ca_file: FilePath | None = None  # instead of the host's certificates
    insecure: bool = False  # http to any host
    timeout: Annotated[float, duration(0.1, 300)] = 10.0  # seconds, for one request as a whole
    connect_timeout: Annotated[float, duration(0.1, 300)] = 5.0


class UnixListener(_Table):
    """A socket for the workloads of this host; the kernel proves who calls, so all may connect."""

    unix: SocketPath
    mode: Mode = 0o666
    group: Group | None = None


# Another kind of listener joins here, told apart by the key that only it has.
Listener: TypeAlias = UnixListener


def _one_key(keys: tuple[str, ...]) -> tuple[str, ...]:
    if not keys:
        raise told("names no key", "give one source of a key")
    if len(keys) > 1:
        raise told("names more than one key, which is not supported by this version", "keep one")
    return keys


class Identity(_Table):
    """A principal with its access keys; what is not given here is as in [iam]."""

    keys: Annotated[tuple[SourceWords, ...], AfterValidator(_one_key)]
    iam_url: Url | None = None
    ca_file: FilePath | None = None


class Log(_Table):
    """What the broker writes about itself."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Serving(_Table):
    """How workloads are served."""

    drain: Annotated[float, duration(0, 3600)] = (
        10.0  # seconds that requests in flight may take after SIGTERM
    )


def _distinct(listeners: tuple[Listener, ...]) -> tuple[Listener, ...]:
    if not listeners:
        raise told("names no listener", "give one, or leave it out for the default")
    if len({listener.unix for listener in listeners}) < len(listeners):
        raise told("names one socket twice", "keep one of the two")
    return listeners


class Settings(BaseSettings):
    """All settings of one broker."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    iam: Iam = Iam()
    listen: Annotated[tuple[Listener, ...], AfterValidator(_distinct)]
    identities: Annotated[Mapping[Name, Identity], AfterValidator(MappingProxyType)]
    log: Log = Log()
    serving: Serving = Serving()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing but what `load` has merged: it remembers where each value stood, for the sentences."""
        return (init_settings,)

    def iam_of(self, name: str) -> Iam:
        """How IAM is asked for one identity."""
        identity = self.identities[name]
        own = {"url": identity.iam_url, "ca_file": identity.ca_file}
        return self.iam.model_copy(update={key: value for key, value in own.items() if value is not None})
