"""What operators read: valid lines, no secret in any of them, each change told once."""
