"""Whether every address in a draft is one that a key, or a token, may be sent to.

Judged before the tree is built, because whether http is allowed is said elsewhere in it, and because a problem here
must not hide behind one there.
"""

from collections.abc import Callable, Iterator

from broker.core.errors import Problem
from broker.exchange.places import template_problem
from broker.issuer.endpoint import IAM
from broker.outward.address import url_problem
from broker.settings.draft import Draft, Path
from broker.settings.tree import Settings

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


def realm_problems(settings: Settings, where: Callable[[Path], str]) -> Iterator[Problem]:
    """The problem with an object storage that would be sent tokens of several IAMs, whoever runs it; of good addresses."""
    if settings.s3.url is not None and len(settings.takers()) > 1:
        yield Problem(
            where(("s3", "url")),
            "would be sent the tokens of more than one IAM",
            "take it out, and write s3_url into the identities whose tokens may go there",
        )


def _storages(table: dict[str, object]) -> Iterator[tuple[Path, str]]:
    yield from _in_table(table, "s3", "url")
    yield from _of_identities(table, "s3_url")


def _urls(table: dict[str, object]) -> Iterator[tuple[Path, str]]:
    yield from _in_table(table, "iam", "url")
    yield from _of_identities(table, "iam_url")


def _in_table(table: dict[str, object], name: str, field: str) -> Iterator[tuple[Path, str]]:
    inner = table.get(name)
    if isinstance(inner, dict) and isinstance(inner.get(field), str):
        yield (name, field), inner[field]


def _of_identities(table: dict[str, object], field: str) -> Iterator[tuple[Path, str]]:
    identities = table.get("identities")
    if isinstance(identities, dict):
        for name, identity in identities.items():
            if isinstance(identity, dict) and isinstance(identity.get(field), str):
                yield ("identities", name, field), identity[field]
