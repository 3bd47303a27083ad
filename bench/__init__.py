"""What is measured about the broker: each folder is one command that prints a table."""
