"""The facade as a listener has it: every route in one table, below both addresses that clients know Keystone by."""

from broker.facade import lists, shape, tokens, versions
from broker.serving.doorway import Face

_OURS = (
    ("GET", "", versions.version),
    ("POST", "/auth/tokens", tokens.issue),
    ("GET", "/auth/tokens", tokens.look),
    ("DELETE", "/auth/tokens", tokens.revoke),
    ("GET", "/auth/catalog", lists.catalog),
    ("GET", "/auth/projects", lists.projects),
)
# Keystone takes a slash at the end for none.
_BELOW = (
    *_OURS,
    *((method, f"{path}/", handler) for method, path, handler in _OURS),
    ("GET", "/{rest:.+}", lists.passed_on),
)
_PREFIXES = ("/identity/v3", "/v3")

KEYSTONE = Face(
    prefixes=("/identity", "/v3"),
    routes=(
        ("GET", "/identity", versions.all_versions),
        ("GET", "/identity/", versions.all_versions),
        *((method, prefix + path, handler) for prefix in _PREFIXES for method, path, handler in _BELOW),
    ),
    refused=shape.refused,
)
