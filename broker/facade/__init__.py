"""Keystone's API for programs that were written for Keystone: what the broker can answer of it, and what it passes on."""
