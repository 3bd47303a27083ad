"""What `broker check` and `broker doctor` look at: settings, the running broker, and the host below both.

A file a concern; each gives findings, and `examination` has them looked for side by side, within one deadline.
"""
