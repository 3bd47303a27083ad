"""Every knob: one frozen tree, checked before anything opens.

`load` reads the file, then the variables, then the defaults, and tells every problem it finds at once. The tree holds
no secret: it names where keys are, and `broker.identity` reads them.
"""

from broker.settings.loading import DEFAULT_FILE, load
from broker.settings.tree import Iam, Identity, Listener, Log, Serving, Settings, UnixListener

__all__ = [
    "DEFAULT_FILE",
    "Iam",
    "Identity",
    "Listener",
    "Log",
    "Serving",
    "Settings",
    "UnixListener",
    "load",
]
