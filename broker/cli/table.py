"""Tables for people: columns as wide as their widest cell, and on a narrow terminal some of them cut.

Rules: what makes the reader act is never cut; width is counted as a terminal does, where Korean letters take two columns;
nothing that came from afar reaches the terminal as a control sequence.
"""

import shutil
import sys
import unicodedata
from collections.abc import Sequence

_GAP = "  "
_CUT = "..."
# A cut cell still tells one value from another.
_NARROWEST = 8


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None, cut: Sequence[str] = ()
) -> str:
    """The lines; above `width`, the columns named in `cut` give way, in this order."""
    lines = [head, *([plain(cell) for cell in row] for row in rows)]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(head))]
    if width is not None:
        over = sum(widths) + len(_GAP) * (len(widths) - 1) - width
        for column in (head.index(name) for name in cut):
            least = max(_NARROWEST, _width(head[column]))
            given = min(max(0, over), max(0, widths[column] - least))
            widths[column] -= given
            over -= given
    return "\n".join(
        _GAP.join(_filled(cell, room) for cell, room in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def terminal_width() -> int | None:
    """The columns of the terminal that stdout is; None when it is none, since a file has room."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def plain(cell: str) -> str:
    """Without what a terminal would act on."""
    return "".join(letter if letter.isprintable() else "?" for letter in cell)


def _width(cell: str) -> int:
    return sum(_columns(letter) for letter in cell)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1


def _filled(cell: str, room: int) -> str:
    """The cell in so many columns, cut where it has more."""
    if _width(cell) > room:
        kept, left = "", room - len(_CUT)
        for letter in cell:
            left -= _columns(letter)
            if left < 0:
                break
            kept += letter
        cell = kept + _CUT
    return cell + " " * (room - _width(cell))
