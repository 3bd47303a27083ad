"""The commands, one file each; the imports that cost time are inside the command functions."""
