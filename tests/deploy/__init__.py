"""What people deploy with is true of the broker that they deploy."""
