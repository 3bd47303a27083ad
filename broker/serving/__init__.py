"""HTTP for workloads: gates, then the token, health, and one table of refusals."""
