"""A private CA and a server certificate of its own, made anew for each test run.

Use it by `pytest_plugins = ["tests.tls"]`, or call `make_tls` with a folder.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Paths: the CA for a client to trust, and what a server on 127.0.0.1 or localhost shows."""

    ca_file: Path
    cert: Path
    key: Path


def make_tls(folder: Path) -> ServerTls:
    """Write a new CA's certificate and a server's certificate and key into the folder."""
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1", "localhost")
    made = ServerTls(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    authority.cert_pem.write_to_path(made.ca_file)
    server.cert_chain_pems[0].write_to_path(made.cert)
    made.key.touch(mode=0o600)
    server.private_key_pem.write_to_path(made.key)
    return made


@pytest.fixture(scope="session")
def server_tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    """One private CA and server certificate for the whole run."""
    return make_tls(tmp_path_factory.mktemp("tls"))
