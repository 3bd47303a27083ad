"""What a token buys elsewhere: S3 credentials of KakaoCloud's object storage.

Read `storage` first; `places`, `reply` and `faults` are pure.
"""
