"""Keystone's API as the broker has it."""
