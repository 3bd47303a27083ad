"""The service manager's side, played by the tests."""
