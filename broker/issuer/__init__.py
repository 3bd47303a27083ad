"""Asking Keystone (KakaoCloud IAM) for tokens: the only room that calls it.

Read `keystone` first; `wire` and `faults` are pure, and `outward` touches the network for it.
"""
