"""Clients' own tools, unmodified, against a real broker: `make e2e-tools`."""
