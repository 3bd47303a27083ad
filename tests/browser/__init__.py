"""A real Chromium, led astray by a page, against a real broker: the gates of loopback TCP are all that stands between.

- The browser runs as the user who may read the token, so the kernel's proof of the caller stops nothing here.
- Each attempt must be seen at the broker, refused for the reason that its table says: a browser that had stopped it
  by itself would prove nothing about us. `test_counter_proof` shows the same attack succeed without the gates.
"""
