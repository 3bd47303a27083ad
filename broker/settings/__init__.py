"""Every knob: one frozen tree, checked before anything opens.

`load` reads the file, then the variables, then the defaults, and tells every problem it finds at once. The tree holds
no secret: it names where keys are, and `broker.identity` reads them.
"""

from broker.settings.files import File
from broker.settings.grants import Account, Grant
from broker.settings.identities import Identity
from broker.settings.listeners import Address, Listener, TcpListener, UnixListener
from broker.settings.loading import DEFAULT_FILE, load, named_file
from broker.settings.tree import Cache, Iam, Log, Refresh, Serving, Settings, Validation

__all__ = [
    "DEFAULT_FILE",
    "Account",
    "Address",
    "Cache",
    "File",
    "Grant",
    "Iam",
    "Identity",
    "Listener",
    "Log",
    "Refresh",
    "Serving",
    "Settings",
    "TcpListener",
    "UnixListener",
    "Validation",
    "load",
    "named_file",
]
