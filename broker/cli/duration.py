"""Durations on the command line."""

import click

from broker.core.durations import seconds


class Duration(click.ParamType[float]):
    """`90`, `90s`, `15m`, `12h`: seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = seconds(value)
        if found is None:
            self.fail(f"{value!r} is not a duration; write it like 90, 90s, 15m or 12h", param, ctx)
        return found
