"""Cutting a list into pages by `limit` and `marker`, as OpenStack does."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from broker.fakeiam.model import Project, RefusedError


def page(
    projects: Sequence[Project], query: Mapping[str, str], size: int | None, here: str
) -> tuple[Sequence[Project], str | None]:
    """The page that `query` asks for, at most `size` long, and the URL of the next one, if there is one."""
    limit = _limit(query.get("limit"), size)
    start = _after(projects, query.get("marker"))
    shown = projects[start:] if limit is None else projects[start : start + limit]
    if start + len(shown) >= len(projects):
        return shown, None
    return shown, f"{here}?{urlencode({'limit': len(shown), 'marker': shown[-1].id})}"


def _limit(text: str | None, size: int | None) -> int | None:
    if text is None:
        return size
    if not (text.isascii() and text.isdigit() and int(text[:10]) > 0):
        raise RefusedError(400, "Invalid input for field 'limit': a positive number is expected.")
    return int(text[:10]) if size is None else min(int(text[:10]), size)


def _after(projects: Sequence[Project], marker: str | None) -> int:
    if marker is None:
        return 0
    found = next((n for n, project in enumerate(projects) if project.id == marker), None)
    if found is None:
        raise RefusedError(400, f"marker [{marker[:64]}] not found")
    return found + 1
