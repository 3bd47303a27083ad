"""Asking a server beyond this host: whom it may be, the way to it, TLS, and one bounded request; knows no service.

What asks one stands on this: `issuer` and `exchange`. Read `transport` first.
"""
