"""The rules of the product: pure values and functions, no I/O, no clock, no await.

Read in this order: model, timing, budget, events, lease; then access, errors, ports.
"""
