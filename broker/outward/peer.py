"""Whom a request goes to: the words of the sentences about it, and how much of its answer is read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """A kind of server that is asked."""

    name: str  # as `IAM`
    kind: str  # what its setting must name, as `KakaoCloud's Keystone`
    url: str  # the setting with its address, as `iam.url`
    ca_file: str  # the setting with the CA that it is trusted by
    example: str  # of an address
    secret: str  # what travels there, as `access keys`
    largest: int  # bytes of an answer's body, as it comes and unpacked
