"""Keystone itself, from an empty folder to a WSGI application; on a folder in use it keeps all that is there.

Three traps of Keystone 30 as one process are disarmed here, or (the second) handed to `front.py`:

1. SQLite checks foreign keys only when told to; else a new credential after deletions gets a false 409.
2. The cache of a request hangs on the thread (`forget_request`).
3. pysaml2 compiles its XML schemas at import, a third of the start; nothing here speaks SAML.
"""

import importlib
import os
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

ADMIN = "admin"
REGION = "kr-central-2"

CONFIGURATION = """\
[DEFAULT]
public_endpoint = {url}
[database]
connection = sqlite:///{folder}/keystone.db
# Nobody pulls the plug on a test: a committed row survives the process without an fsync.
sqlite_synchronous = false
[cache]
enabled = true
backend = dogpile.cache.memory
[identity]
password_hash_rounds = 4
[oslo_messaging_notifications]
driver = noop
[token]
expiration = {life}
allow_expired_window = 0
[fernet_tokens]
key_repository = {folder}/fernet-keys
[fernet_receipts]
key_repository = {folder}/fernet-keys
[credential]
key_repository = {folder}/credential-keys
"""


@dataclass(frozen=True, slots=True)
class Cloud:
    """A Keystone ready to answer, and the ids its admin needs."""

    application: "WSGIApplication"
    admin_user_id: str
    admin_project_id: str
    domain_id: str


def load() -> None:
    """Import what a server needs; nothing is configured by that."""
    _stub_saml_schemas()
    for name in ("cmd.bootstrap", "common.sql.core", "common.sql.upgrades", "server.wsgi"):
        importlib.import_module(f"keystone.{name}")
    for name in ("waitress", "cheroot.wsgi", "cheroot.ssl.builtin"):
        importlib.import_module(name)


def open_cloud(folder: Path, *, url: str, life: int, password: str) -> Cloud:
    """Configure, migrate and bootstrap; each step leaves alone what an earlier start has made."""
    (folder / "keystone.conf").write_text(CONFIGURATION.format(url=url, folder=folder, life=life))
    for repository in ("fernet-keys", "credential-keys"):
        _make_keys(folder / repository)
    os.environ["OS_KEYSTONE_CONFIG_DIR"] = str(folder)
    sys.argv = ["keystone"]  # it reads its options from there, and ours are not its own
    from keystone.common.sql import core, upgrades  # noqa: PLC0415 - lives in the tests' own Keystone environment
    from keystone.server import wsgi  # noqa: PLC0415

    core._get_main_context_manager().configure(sqlite_fk=True)
    application = wsgi.initialize_public_application()
    upgrades.offline_sync_database_to_version()
    admin = _bootstrap(url, password)
    return Cloud(application, admin.admin_user_id, admin.project_id, admin.default_domain_id)


def forget_request() -> None:
    """Drop the last request's cache from this thread."""
    from oslo_context import context  # noqa: PLC0415

    context._request_store.context = None


def _make_keys(repository: Path) -> None:
    """Two keys, the staged and the primary, that only the owner can read; Keystone warns otherwise."""
    from cryptography.fernet import Fernet  # noqa: PLC0415

    if repository.exists():
        return
    repository.mkdir(mode=0o700)
    for name in ("0", "1"):
        key = repository / name
        key.touch(mode=0o600)
        key.write_bytes(Fernet.generate_key())


def _stub_saml_schemas() -> None:
    stub: Any = types.ModuleType("saml2.xml.schema")
    stub.XMLSchemaError = type("XMLSchemaError", (Exception,), {})
    stub.validate = lambda *_args, **_kwargs: None
    sys.modules["saml2.xml.schema"] = stub


def _bootstrap(url: str, password: str) -> Any:  # noqa: ANN401 - Keystone ships no types
    from keystone.cmd import bootstrap  # noqa: PLC0415

    # The application has loaded them, and Keystone refuses a second time.
    bootstrap.backends = types.SimpleNamespace(load_backends=dict)

    class PlainRoles(bootstrap.Bootstrapper):  # type: ignore[misc] # Keystone ships no types
        """Without implied roles a token carries exactly the roles that a test gave."""

        def _ensure_implied_role(self, prior_role_id: str, implied_role_id: str) -> None: ...

    bootstrapper = PlainRoles()
    bootstrapper.admin_username = bootstrapper.project_name = bootstrapper.admin_role_name = ADMIN
    bootstrapper.admin_password = password
    bootstrapper.service_name = "keystone"
    bootstrapper.region_id = REGION
    bootstrapper.public_url = bootstrapper.internal_url = bootstrapper.admin_url = f"{url}/v3"
    bootstrapper.bootstrap()
    return bootstrapper
