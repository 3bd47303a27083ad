"""The local credential broker for KakaoCloud: access keys in, living API tokens out."""

__version__ = "0.1.0"
