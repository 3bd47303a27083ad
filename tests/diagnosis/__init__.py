"""What a doctor looks at, with fakes of the host and servers that say what a test wants."""
