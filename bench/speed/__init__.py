"""How fast and how big the broker is, beside a bare Go server and others on the same machine; `python -m bench.speed` is the way in."""
