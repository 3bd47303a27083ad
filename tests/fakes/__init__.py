"""Fakes that behave: a clock that is moved by hand, an issuer that is told what to answer."""
