"""What reports cost (L9), whoever sends them and however often."""

import pytest

from broker.core.reports import Reaction, Reports, found_valid, react


def walk(*reports: tuple[float, str], valid: bool = True, can: bool = True) -> list[Reaction]:
    """The reactions to reports at these moments, with every validation answered at once."""
    kept, reactions = Reports(), []
    for at, digest in reports:
        kept, reaction = react(kept, at, digest, can_validate=can)
        reactions.append(reaction)
        if reaction is Reaction.VALIDATE and valid:
            kept = found_valid(kept, digest, at)
    return reactions


def test_the_first_report_is_looked_into_and_the_second_is_believed():
    assert walk((0, "a"), (1, "a"), (2, "a")) == [Reaction.VALIDATE, Reaction.REISSUE, Reaction.NOTHING]


def test_before_the_verdict_more_reports_change_nothing():
    assert walk((0, "a"), (0, "a"), valid=False) == [Reaction.VALIDATE, Reaction.NOTHING]


def test_the_new_token_is_not_looked_into_in_the_same_window():
    assert walk((0, "a"), (1, "a"), (2, "b"), (29, "b")) == [
        Reaction.VALIDATE, Reaction.REISSUE, Reaction.NOTHING, Reaction.NOTHING,
    ]  # fmt: skip


def test_without_validation_a_report_is_believed_at_once():
    assert walk((0, "a"), (1, "b"), can=False) == [Reaction.REISSUE, Reaction.NOTHING]


@pytest.mark.parametrize("can", [True, False])
def test_a_client_that_reports_every_second_for_a_day_costs_little(can):
    """At most two reissues an hour once it has backed off, and a validation per window."""
    reactions = walk(*((float(second), "a") for second in range(86400)), can=can)
    assert reactions.count(Reaction.VALIDATE) <= 86400 / 30
    assert reactions.count(Reaction.REISSUE) <= 8 + 24
    assert reactions[:7200].count(Reaction.REISSUE) >= 5, "it is believed at first"
