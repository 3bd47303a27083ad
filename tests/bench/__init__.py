"""The benches are tested where they could fool their reader."""
