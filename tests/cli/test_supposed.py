"""Whatever is supposed: the verdict is the policy's own, the words are the verdict's, and the remedy is one."""

import tomllib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from broker.cli.reasons import looks, sentence
from broker.cli.remedies import remedies
from broker.cli.supposed import UNPROVEN, Ambiguous, Caller, Question, slices_around
from broker.core.access import LIMITED, OWNER, Owner, Workload
from broker.settings import Account, Grant, Settings

SOCKET, OTHER, TCP = "/nowhere/s", "/nowhere/t", "127.0.0.1:9780"
NAMES, NUMBERS = ("default", "shop"), range(4)
UNITS = ("a.service", "b.service", "x.slice", "x-y.slice")
LISTENERS = (SOCKET, OTHER, TCP)
numbers = st.sampled_from(NUMBERS)


def some(of: tuple[str, ...] | range, least: int = 0) -> st.SearchStrategy[list[str | int]]:
    return st.sets(st.sampled_from([*of]), min_size=least, max_size=2).map(sorted)


identities = st.sampled_from(NAMES)
named = st.fixed_dictionaries({
    "identity": identities, "users": some(NUMBERS), "groups": some(NUMBERS), "units": some(UNITS),
    "listeners": some(LISTENERS),
}).filter(lambda grant: grant["users"] or grant["groups"] or grant["units"])  # fmt: skip
anyone = st.fixed_dictionaries(
    {"identity": identities, "any": st.just(True), "listeners": some(LISTENERS, least=1)}
)
limits = st.fixed_dictionaries({label: st.none() | some(NAMES, least=1) for label in LISTENERS})
ambiguous = st.builds(Ambiguous, st.none() | numbers, st.none() | numbers)
callers = st.builds(
    Caller,
    user=numbers.map(Account),
    groups=st.lists(numbers.map(Account), max_size=3).map(tuple),
    unit=st.none() | st.sampled_from(UNITS[:2]),
    slices=st.sampled_from([frozenset(), frozenset(UNITS[2:3]), frozenset(UNITS[2:])]),
    elsewhere=st.booleans(),
)


def settings(grants: list[dict[str, object]], limits: dict[str, list[str] | None]) -> Settings:
    listen = [
        {"unix" if label.startswith("/") else "tcp": label, "identities": limits[label]}
        for label in LISTENERS
    ]
    keys = {name: {"keys": ["/k"]} for name in NAMES}
    return Settings.model_validate({"listen": listen, "identities": keys, "grants": grants})


def proven(caller: Caller, label: str, nobody: Ambiguous) -> Workload | None:
    """What the daemon would prove, written once more."""
    if caller.user.number == nobody.uid:
        return None
    if label == TCP:
        return Workload(caller.user.number, None, None, TCP)
    gids = [group.number for group in caller.groups]
    return Workload(
        uid=caller.user.number,
        gid=None if not gids or gids[0] == nobody.gid else gids[0],
        pid=0 if caller.elsewhere else 4711,
        listener=label,
        groups=frozenset(gid for gid in gids[1:] if gid != nobody.gid),
        unit=caller.unit,
        slices=caller.slices,
    )


questions = st.builds(
    lambda grants, limits, owner, caller, identity, nobody: Question(
        (tree := settings(grants, limits)), tree.policy(owner), caller, identity, nobody
    ),
    st.lists(named | anyone, max_size=4),
    limits,
    st.builds(Owner, numbers, st.booleans()),
    callers,
    st.sampled_from((*NAMES, "nope")),
    ambiguous,
)


@given(questions)
def test_the_verdict_is_the_policys_and_the_words_are_the_verdicts(question: Question):
    for listener in question.settings.listen:
        judged = question.judged(listener)
        workload = proven(question.caller, listener.label, question.ambiguous)
        allowed = view = False
        if workload is not None and question.identity in NAMES:
            verdict = question.policy.may_read(workload, question.identity)
            allowed, view = verdict.allowed, question.policy.may_view(workload, question.identity).allowed
            assert judged.read.by == verdict.by
        assert (judged.read.allowed, judged.view.allowed) == (allowed, view)
        assert sentence(question, judged).startswith("allowed: " if allowed else "denied: ")
        giving = [look.place for look in looks(question, judged) if look.gives]
        if judged.read.by == UNPROVEN:
            assert not giving
        elif judged.read.by not in {OWNER, LIMITED}:
            assert giving[:1] == ([judged.read.by] if allowed else [])


@given(questions, st.sampled_from((LISTENERS, *((label,) for label in LISTENERS))))
def test_the_remedy_is_one(question: Question, asked: tuple[str, ...]):
    """Who does what it says may read wherever a grant can reach; who may read already is told nothing."""
    answers = [question.judged(listener) for listener in question.settings.listen if listener.label in asked]
    lines = [*remedies(question, answers)]
    if any(judged.read for judged in answers):
        assert not lines
    elif question.identity not in NAMES or any(judged.workload is None for judged in answers):
        assert len(lines) == 1
    else:
        lifted = [label for label in LISTENERS if f" {label}" in lines[0]]
        mended = followed(question, lines, lifted)
        for judged in answers:
            assert lifted or judged.read.by != LIMITED or len(answers) > 1
            assert mended.judged(judged.listener).read or (judged.read.by == LIMITED and not lifted)


def followed(question: Question, lines: list[str], lifted: list[str]) -> Question:
    """The question, once somebody has done what the lines say."""
    limits: dict[str, list[str] | None] = dict.fromkeys(LISTENERS)
    for listener in question.settings.listen:
        if listener.identities is not None:
            more = [question.identity] if listener.label in lifted else []
            limits[listener.label] = [*listener.identities, *more]
    added = tomllib.loads("\n".join(line for line in lines if line.startswith("  "))).get("grants", [])
    tree = settings([*map(written, question.settings.grants), *added], limits)
    return replace(question, settings=tree, policy=tree.policy(question.policy.owner))


def written(grant: Grant) -> dict[str, object]:
    return {
        "identity": grant.identity,
        "users": [user.number for user in grant.users],
        "groups": [group.number for group in grant.groups],
        "units": [*grant.units],
        "listeners": [*grant.listeners],
        "any": grant.any,
    }


def test_slices_are_named_with_those_around_them():
    assert [*slices_around(["a-b-c.slice", "d.slice"])] == ["a-b-c.slice", "a-b.slice", "a.slice", "d.slice"]
    assert [*slices_around(["-.slice"])] == ["-.slice"]
