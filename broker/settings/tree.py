"""The tree of settings: what each is called, its kind and its default."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from broker.core.access import Owner, Policy
from broker.core.timing import USUAL
from broker.core.watch import Method
from broker.exchange.places import REGION, Places, places
from broker.outward.address import host_and_port
from broker.settings.files import File, apart
from broker.settings.grants import Grant
from broker.settings.identities import Identity
from broker.settings.kinds import (
    AuditWord,
    FilePath,
    FolderPath,
    Host,
    Name,
    Region,
    Url,
    count,
    duration,
    fraction,
    told,
)
from broker.settings.listeners import AnyListener, distinct
from broker.settings.table import Table

IAM_URL = "https://iam.kakaocloud.com/identity/v3"


class Iam(Table):
    """How IAM is asked."""

    url: Url = IAM_URL
    ca_file: FilePath | None = None  # instead of the host's certificates
    insecure: bool = False  # http to any host
    timeout: Annotated[float, duration(0.1, 300)] = 10.0  # seconds, for one request as a whole
    connect_timeout: Annotated[float, duration(0.1, 300)] = 5.0


class Log(Table):
    """What the broker writes about itself."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] | None = None  # JSON, and in systemd's journal an entry with fields
    audit: AuditWord = "stdout"  # where the audit trail goes: also journald, off, or a file


class Serving(Table):
    """How workloads are served."""

    drain: Annotated[float, duration(0, 3600)] = (
        10.0  # seconds that requests in flight may take after SIGTERM
    )
    connections: Annotated[int, count(64, 1_000_000)] = (
        4096  # at once, in all; fewer where few files may be open
    )
    lane: bool = True  # the express lane in front of the HTTP library, for requests that were allowed before
    hosts: tuple[Host, ...] = ()  # names that requests over TCP may call us by, beside those of loopback


class Refresh(Table):
    """When a token is replaced, in fractions of its real lifetime."""

    earliest: Annotated[float, fraction(0.1)] = USUAL.earliest
    latest: Annotated[float, fraction(0.1)] = USUAL.latest
    critical: Annotated[float, fraction(0.1)] = USUAL.critical  # from here on the broker tries hard

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.earliest <= self.latest < self.critical:
            order = f"earliest ({self.earliest}), latest ({self.latest}) and critical ({self.critical})"
            raise told(f"has {order} out of order", "choose earliest <= latest < critical")
        return self


class Validation(Table):
    """How it is found out that a token was revoked, or its roles changed."""

    every: Annotated[float, duration(0.1, 3600)] = 300.0  # seconds
    method: Literal["auth-tokens", "projects", "off"] = "auth-tokens"

    @property
    def methods(self) -> tuple[Method, ...]:
        """The methods to try, in order; none: tokens are not validated."""
        if self.method == "off":
            return ()
        # Where the first cannot be done with a key, the second may be.
        return tuple(Method) if self.method == "auth-tokens" else (Method(self.method),)


class Cache(Table):
    """What is kept for the next start, sealed."""

    path: FolderPath | None = None  # None: the default folder, unless it is off
    off: bool = False

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.off and self.path is not None:
            raise told("names a folder and is off", "keep `path` or keep `off`")
        return self


_Lives = Annotated[float, duration(60, 43_200)]  # here, because in the table its name is a field's


class S3(Table):
    """What object storage gives S3 credentials for tokens."""

    region: Region = REGION  # the usual one
    url: Url | None = None  # with a place for a region, `{region}`; None: KakaoCloud's own
    ca_file: FilePath | None = None  # instead of the host's certificates
    duration: _Lives = 1800.0  # seconds that credentials are to live


class Settings(BaseSettings):
    """All settings of one broker."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    iam: Iam = Iam()
    listen: Annotated[tuple[AnyListener, ...], AfterValidator(distinct)]
    identities: Annotated[Mapping[Name, Identity], AfterValidator(MappingProxyType)]
    grants: tuple[Grant, ...] = ()  # none: the owner's rule
    refresh: Refresh = Refresh()
    validation: Validation = Validation()
    cache: Cache = Cache()
    log: Log = Log()
    serving: Serving = Serving()
    s3: S3 = S3()
    files: Annotated[tuple[File, ...], AfterValidator(apart)] = ()

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

    def storage_of(self, name: str) -> Places | None:
        """Where one identity's tokens may be traded for S3 credentials; None: nowhere."""
        # A reload may have brought an identity of another IAM, while an address that is gone by now still holds.
        shared = self.s3.url if len(self.takers()) == 1 else None
        return places(self.identities[name].s3_url or shared, self.s3.region, self.iam_of(name).url)

    def takers(self) -> frozenset[str]:
        """The IAMs, as host:port, whose tokens [s3] url is for; of more than one it is for none's."""
        own = (name for name, identity in self.identities.items() if identity.s3_url is None)
        return frozenset(host_and_port(self.iam_of(name).url) for name in own)

    def policy(self, owner: Owner) -> Policy:
        """Who may do what, where the broker runs as this owner."""
        return Policy(
            owner=owner,
            grants=tuple(grant.value() for grant in self.grants),
            limits={
                listener.label: frozenset(listener.identities)
                for listener in self.listen
                if listener.identities is not None
            },
        )
