"""Keys from real files with real modes, and from a real environment."""
