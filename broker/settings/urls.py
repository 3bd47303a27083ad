"""Whether every address of IAM in a draft is one that a key may be sent to.

Judged before the tree is built, because whether http is allowed is said elsewhere in it, and because a problem here
must not hide behind one there.
"""

from collections.abc import Iterator

from broker.core.errors import Problem
from broker.issuer.address import url_problem
from broker.settings.draft import Draft, Path

# What pydantic takes for true.
_TRUE = {"true", "t", "yes", "y", "on", "1"}


def url_problems(draft: Draft) -> Iterator[Problem]:
    """The problems with addresses; what is not even text is left to the tree."""
    iam = draft.table.get("iam")
    insecure = isinstance(iam, dict) and str(iam.get("insecure")).lower() in _TRUE
    for path, url in _urls(draft.table):
        sentence = url_problem(url.rstrip("/"), insecure=insecure)
        if sentence is not None:
            what, _, remedy = sentence.partition("; ")
            yield Problem(draft.where(path), what, remedy)


def _urls(table: dict[str, object]) -> Iterator[tuple[Path, str]]:
    iam, identities = table.get("iam"), table.get("identities")
    if isinstance(iam, dict) and isinstance(iam.get("url"), str):
        yield ("iam", "url"), iam["url"]
    if isinstance(identities, dict):
        for name, identity in identities.items():
            if isinstance(identity, dict) and isinstance(identity.get("iam_url"), str):
                yield ("identities", name, "iam_url"), identity["iam_url"]
