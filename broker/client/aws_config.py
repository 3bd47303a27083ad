"""Whether AWS' own configuration holds a login that its clients prefer to the broker's; pure.

No variable can take such a login away without the region and the endpoint that stand beside it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# What botocore looks for before it asks a container's endpoint, which the broker stands for.
_PREFERRED = {
    "aws_access_key_id", "credential_process", "login_session", "role_arn", "sso_account_id", "sso_session", "sso_start_url",
    "web_identity_token_file",
}  # fmt: skip
_OURS = "s3-credentials"


def preferred_login(lines: Iterable[str]) -> str | None:
    """The name of the first such option of the profile `default`, unless it is the broker's own command."""
    is_default = False
    for line in lines:
        text = line.strip()
        if text.startswith("["):
            words = text.partition("]")[0].strip("[").split()
            is_default = words in (["default"], ["profile", "default"])
        elif is_default and not line[:1].isspace():
            name, _, value = text.partition("=")
            if name.strip().lower() in _PREFERRED and _OURS not in value:
                return name.strip().lower()
    return None
