"""A real OpenStack Keystone as one process, and tests that this harness tells the truth."""
