"""Durations on the command line."""

import click

from broker.core.durations import seconds


# Without its parameter: click 8.1, which is allowed, has a class there that takes none.
class Duration(click.ParamType):  # type: ignore[type-arg]
    """`90`, `90s`, `15m`, `12h`: seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = seconds(value)
        if found is None:
            self.fail(f"{value!r} is not a duration; write it like 90, 90s, 15m or 12h", param, ctx)
        return found
