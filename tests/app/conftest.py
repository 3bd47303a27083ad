"""Every test here gives logging back as it was."""

from tests.observability.restored import logging_as_it_was

__all__ = ["logging_as_it_was"]
