"""Keeping leases alive: one keeper an identity, a keyring of them all, and the tick that drives them."""
