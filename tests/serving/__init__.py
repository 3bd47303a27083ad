"""HTTP for workloads over a real Unix socket; time and IAM are the test's."""
