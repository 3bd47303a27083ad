"""The simulation is tested where it could fool its reader."""
