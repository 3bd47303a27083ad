"""Where access keys come from: a directory, a file, or the environment.

`sources` turns the words of the configuration into sources; each of them reads one key, at any time, and says plainly
why when it cannot.
"""
