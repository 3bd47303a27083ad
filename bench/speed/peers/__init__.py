"""What the broker is measured against, and what runs under another Python than the bench's own."""
