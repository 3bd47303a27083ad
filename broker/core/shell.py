"""A value as a shell reads it back: what stands in quotes is one word there, and nothing of it is taken for a command."""


def quoted(value: str) -> str:
    """For every shell that knows `export`.

    Quotes and backslashes stand outside of the quotes: fish, unlike the others, reads a backslash within them. What needs no
    quotes has them too: zsh takes `==x` for the place of a command.
    """
    return "'" + "".join(f"'\\{each}'" if each in "'\\" else each for each in value) + "'"
