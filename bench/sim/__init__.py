"""The year in a minute: the real core and keeper through weeks of simulated trouble; `python -m bench.sim` is the way in."""
