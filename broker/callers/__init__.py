"""Evidence: our own sockets, and what the kernel says of who is on the other end. Permission is judged in core.access."""
