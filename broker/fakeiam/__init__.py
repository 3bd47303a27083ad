"""An emulator of KakaoCloud IAM (Keystone v3) on loopback, with faults on demand.

It imports nothing else of this program: a mistake in the way the broker reads Keystone must not be able to
repeat itself here and so stay hidden.
"""
