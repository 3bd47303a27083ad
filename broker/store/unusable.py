"""What was kept and cannot be used: never an error for anybody, only a reason for the log."""


class Unusable(Exception):
    """Its text says why, in a few words that hold nothing of what was read."""
