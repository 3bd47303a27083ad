"""IAM as a server that is asked: where it is, and how much at once."""

from dataclasses import dataclass, field

from broker.outward import transport
from broker.outward.peer import Peer

IAM = Peer(
    name="IAM",
    kind="KakaoCloud's Keystone",
    url="iam.url",
    ca_file="iam.ca_file",
    example="https://iam.kakaocloud.com/identity/v3",
    secret="access keys",  # noqa: S106  (the word for what travels)
    largest=4 * 1024 * 1024,
)
# An identity has at most an issue, a validation, a list and a look at its key in flight: none of them ever waits for
# another here.
CONNECTIONS = 8
# Only these bodies are looked at; the others say enough by their status, and may be endless.
READ = frozenset({200, 201, 404})


@dataclass(frozen=True, slots=True)
class Endpoint(transport.Endpoint):
    """Where IAM is and how long it is waited for, in seconds."""

    peer: Peer = field(default=IAM, kw_only=True)
