"""The table of `broker projects`."""

from broker.cli.projects import render


def test_what_keystone_left_out_is_a_dash():
    found = [
        {"id": "p1", "name": "shop", "domain_id": "d", "enabled": True},
        {"id": "p2", "enabled": False},
        {},
    ]
    assert render(found).splitlines() == [
        "NAME  ID  DOMAIN  ENABLED",
        "shop  p1  d       yes",
        "-     p2  -       no",
        "-     -   -       -",
    ]


def test_no_project_is_a_sentence():
    assert render([]) == "The user has no project; ask its administrator for a role in one."
