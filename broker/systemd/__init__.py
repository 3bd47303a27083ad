"""The service manager above the broker: what it hands over at the start, and what it wants to hear while the broker runs."""
