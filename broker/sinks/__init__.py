"""Token files: what is in them, how they come to the disk and leave it, and what is run when they have changed."""
