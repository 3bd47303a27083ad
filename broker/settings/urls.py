"""Whether every address in a draft is one that a key, or a token, may be sent to.

Judged before the tree is built, because whether http is allowed is said elsewhere in it, and because a problem here
must not hide behind one there.
"""

from collections.abc import Iterator

from broker.core.errors import Problem
from broker.exchange.places import template_problem
from broker.issuer.endpoint import IAM
from broker.outward.address import url_problem
from broker.settings.draft import Draft, Path

# What pydantic takes for true.
_TRUE = {"true", "t", "yes", "y", "on", "1"}


def url_problems(draft: Draft) -> Iterator[Problem]:
    """The problems with addresses; what is not even text is left to the tree."""
    iam = draft.table.get("iam")
    insecure = isinstance(iam, dict) and str(iam.get("insecure")).lower() in _TRUE
    told = [
        *((path, url_problem(IAM, url.rstrip("/"), insecure=insecure)) for path, url in _urls(draft.table)),
        *(
            (path, template_problem(url.rstrip("/"), insecure=insecure))
            for path, url in _storages(draft.table)
        ),
    ]
    for path, sentence in told:
        if sentence is not None:
            what, _, remedy = sentence.partition("; ")
            yield Problem(draft.where(path), what, remedy)


def _storages(table: dict[str, object]) -> Iterator[tuple[Path, str]]:
    s3 = table.get("s3")
    if isinstance(s3, dict) and isinstance(s3.get("url"), str):
        yield ("s3", "url"), s3["url"]


def _urls(table: dict[str, object]) -> Iterator[tuple[Path, str]]:
    iam, identities = table.get("iam"), table.get("identities")
    if isinstance(iam, dict) and isinstance(iam.get("url"), str):
        yield ("iam", "url"), iam["url"]
    if isinstance(identities, dict):
        for name, identity in identities.items():
            if isinstance(identity, dict) and isinstance(identity.get("iam_url"), str):
                yield ("identities", name, "iam_url"), identity["iam_url"]
