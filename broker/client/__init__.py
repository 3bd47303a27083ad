"""For programs that ask the broker: no part of the daemon is imported here.

A command that asks for a token lives for milliseconds, of which imports are most. So these files import at their top only
what the interpreter has loaded anyway, and `_socket`, which `socket` is built on: `socket`, `http.client`, `json`, `re`,
`typing` and `dataclasses` each take longer to load than the request takes. What only a type needs is imported for the type
checker alone, what only some requests need where they need it; `tests/cli/test_imports.py` holds that.
"""
