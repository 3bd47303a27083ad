"""For programs that ask the broker: no part of the daemon is imported here."""
