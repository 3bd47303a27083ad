"""Whether a caller wants the bare token or JSON: `?format=`, else `Accept` with its weights (RFC 9110)."""

from aiohttp import web

from broker.core.errors import Code, Refusal

_TEXT = ("text/plain", "text/*", "*/*")
_JSON = ("application/json", "application/*", "*/*")


def wants_text(request: web.Request) -> bool:
    """True for the bare token. JSON is the answer to no wish, and to wishes that are equal. Raises Refusal."""
    form = request.query.get("format")
    if form is None:
        wishes = _wishes(",".join(request.headers.getall("Accept", [])))
        return _weight(wishes, _TEXT) > _weight(wishes, _JSON)
    if form not in {"text", "json"}:
        raise Refusal(Code.BAD_REQUEST, "format is text or json")
    return form == "text"


def _wishes(header: str) -> dict[str, float]:
    wishes = {}
    for part in header.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            wishes[kind] = float(weight)
        except ValueError:
            wishes[kind] = 0.0
    return wishes


def _weight(wishes: dict[str, float], kinds: tuple[str, ...]) -> float:
    """The weight of the most exact wish that fits."""
    return next((wishes[kind] for kind in kinds if kind in wishes), 0.0)
