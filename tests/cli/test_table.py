"""Tables: what a terminal is too narrow for is cut where it matters least, and nothing foreign reaches it as a command."""

from broker.cli.table import table

HEAD = ("NAME", "KEY", "STATE")
ROW = ("default", "0123456789abcdef", "fresh")


def test_where_there_is_room_nothing_is_cut():
    assert table(HEAD, [ROW], 32, ("KEY",)) == table(HEAD, [ROW])


def test_the_columns_named_give_way_and_no_other():
    assert table(HEAD, [ROW], 28, ("KEY",)).splitlines() == [
        "NAME     KEY           STATE",
        "default  012345678...  fresh",
    ]


def test_they_give_way_in_their_order_and_never_wholly():
    lines = table(HEAD, [ROW], 1, ("KEY", "NAME")).splitlines()
    assert lines[1] == "default  01234...  fresh"
    assert table(HEAD, [("a-long-name", *ROW[1:])], 24, ("KEY", "NAME")).splitlines()[1] == (
        "a-lon...  01234...  fresh"
    )


def test_korean_letters_take_two_columns():
    shop = "\uc1fc\ud551\ubab0"
    assert table(("NAME", "ID"), [(shop, "p"), ("shop", "q")]).splitlines() == [
        "NAME    ID",
        f"{shop}  p",
        "shop    q",
    ]
    cut = table(("NAME", "ID"), [(shop * 3, "p")], 13, ("NAME",)).splitlines()[1]
    assert cut == f"{shop}...  p"
    assert table(("N", "ID"), [("e\u0301", "p")]).splitlines()[1] == "e\u0301  p"


def test_control_sequences_are_shown_as_marks():
    assert table(("A", "B"), [("\x1b[2Jx\n", "\ud800")]).splitlines()[1] == "?[2Jx?  ?"
