"""Tests of the issuer: pure ones, and ones on real sockets against scripted bytes."""
