"""The keeper and the keyring on a clock of the test."""
