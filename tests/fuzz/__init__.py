"""Hostile bytes, made and kept, against the served broker; and requests made from the description of its API."""
