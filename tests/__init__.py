"""The proofs: pure rules first, then the real application over real sockets, then real processes."""
