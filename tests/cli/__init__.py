"""The commands as users meet them: what is on stdout, what on stderr, and how they end."""
