"""ETags of tokens: weak, since the JSON around a token changes by the second, and named by the token's hash."""


def of(digest: str) -> str:
    """The tag of the token with this SHA-256."""
    return f'W/"{digest[:32]}"'


def matches(headers: list[str], digest: str) -> bool:
    """Whether `If-None-Match` names this token, by weak comparison (RFC 9110)."""
    wanted = of(digest).removeprefix("W/")
    tags = (tag.strip() for tag in ",".join(headers).split(","))
    return any(tag == "*" or tag.removeprefix("W/") == wanted for tag in tags)
