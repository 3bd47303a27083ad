"""What survives a restart: one sealed file an identity, and beside it, in clear, what is left of the budgets.

Read `sealed` first; `sealing` and the forms are pure, `writing` and `folder` touch the disk.
"""
