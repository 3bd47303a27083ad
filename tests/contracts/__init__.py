"""The same cases on the emulator and on a real Keystone, so that neither drifts from the other."""
