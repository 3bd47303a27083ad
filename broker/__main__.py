"""The command `broker`; also `python -m broker`.

What is asked of a running broker is answered before the command line's library is loaded, which takes longer than the answer.
"""

import sys

from broker.cli import ends, plain


def main() -> None:
    """Run the command line and exit with its code."""
    ends.told(_command)


def _command() -> None:
    if plain.done(sys.argv[1:]):
        ends.leave()
    from broker.cli.main import broker  # noqa: PLC0415  (a plain call is spared its milliseconds)

    broker.main(prog_name="broker", standalone_mode=True)


if __name__ == "__main__":
    main()
