"""The broker as a process, against a real Keystone, and against the emulator where Keystone cannot be made to fail so."""
