"""The keystoneauth1 plugin `v3kakaocloudbroker`: openstack's command, SDK and sessions, without any secret.

- It gives a session IAM's own answer with the token, catalog and all, as the broker holds it.
- After a 401 a session has its plugin forget the token, and tries once more. Then the token is reported, once for all threads;
  one that is still valid is kept, and the 401 is the user's to see.
- Nothing is kept outside of this process: no cache id, no state to store in a keyring. The broker is the cache.
"""

import threading
from typing import Any

from keystoneauth1 import access, exceptions
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.loading import BaseLoader, Opt
from keystoneauth1.plugin import AUTH_INTERFACE
from keystoneauth1.session import Session

from broker.client.asking import TIMEOUT
from broker.client.failures import ClientError, Denied, Unreachable
from broker.client.fetch import run
from broker.client.keystone_token import KeystoneToken, keystone_steps
from broker.client.reporter import Sent, ThreadReporter
from broker.client.token_client import TokenClient


class BrokerPlugin(BaseIdentityPlugin):
    """`identity`, `url` and `timeout` are those of TokenClient."""

    def __init__(self, identity: str | None = None, url: str | None = None, timeout: float = TIMEOUT) -> None:
        super().__init__()
        try:
            self._client = TokenClient(identity or None, url=url or None, timeout=timeout)
        except ClientError as error:
            raise exceptions.OptionError(str(error)) from None
        self._reporter = ThreadReporter(self._client)
        self._mine = threading.local()

    def get_auth_ref(self, session: Session) -> access.AccessInfo:
        """The token that the broker holds now. Raises AuthorizationFailure, ConnectFailure."""
        del session  # the broker is asked directly: no proxy, no redirect
        try:
            held = run(self._client.find, keystone_steps(self._client))
        except Denied as error:
            raise exceptions.AuthorizationFailure(str(error)) from None
        except Unreachable as error:
            raise exceptions.ConnectFailure(str(error)) from None
        except ClientError as error:
            raise exceptions.AuthPluginException(str(error)) from None
        return _Access(held)

    def get_token(self, session: Session) -> str | None:
        """The one that this thread works with now."""
        found = self.get_access(session)
        self._mine.sent = self._reporter.sent(found.held) if isinstance(found, _Access) else None
        return found.auth_token

    def invalidate(self) -> bool:
        """A service has refused the token of this thread: whether there is another one."""
        sent: Sent | None = getattr(self._mine, "sent", None)
        if sent is None:
            return False
        with self._lock:
            current = self.auth_ref
        if isinstance(current, _Access) and current.held is sent.token:
            if self._reporter.another(sent) is None:
                return False
            with self._lock:
                self.auth_ref = None if self.auth_ref is current else self.auth_ref
        return True

    def get_endpoint_data(self, session: Session, **kwargs: Any) -> Any:  # noqa: ANN401  (as its parent has it)
        """By the catalog, also where a session asks for IAM's own address, which other plugins are told."""
        if kwargs.get("interface") is AUTH_INTERFACE:
            kwargs |= {"interface": "public", "service_type": "identity"}
        return super().get_endpoint_data(session, **kwargs)

    def get_cache_id(self) -> str | None:
        """None: no token is to be kept by others."""
        return None

    def get_auth_state(self) -> str | None:
        """Nothing to keep; the broker has it."""
        return None

    def set_auth_state(self, data: object) -> None:
        """What was kept is not used."""


class Loader(BaseLoader[BrokerPlugin]):
    """What clouds.yaml, variables and command lines may say."""

    @property
    def plugin_class(self) -> type[BrokerPlugin]:
        return BrokerPlugin

    def get_options(self) -> list[Opt]:
        identity = "The broker's name of the identity to use, where it serves several to you."
        where = "Where the broker is, as KAKAOCLOUD_BROKER_URL has it; by default its usual socket."
        # The openstack command demands an option that it knows by the name `url`.
        return [Opt("identity", help=identity), Opt("url", help=where, dest="broker_url")]

    def create_plugin(self, **given: Any) -> BrokerPlugin:  # noqa: ANN401  (as its parent has it)
        """By either name of the url."""
        return BrokerPlugin(given.get("identity"), given.get("broker_url") or given.get("url"))


class _Access(access.AccessInfoV3):
    """IAM's answer, and what to report if its token is refused."""

    def __init__(self, held: KeystoneToken) -> None:
        super().__init__(held.body, held.value.reveal())
        self.held = held
