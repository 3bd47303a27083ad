"""What the broker tells its operators."""
