"""Tests of the emulated IAM."""
