"""Settings from files and variables, and the sentences about broken ones."""
