"""The secret that clients of an identity present, beside the kernel's proof of who they are.

- Where none is set, anything that is not empty will do: a client that was not written for the broker cannot leave it
  out, and presents a placeholder.
- A new secret leaves the one before it in force for a grace time. Of two changes within that time the older secret is
  gone at once, so that whoever must shut out a stolen one changes it twice.
- What is given is compared with both secrets, always, and by digests of one length: how long that takes tells neither a
  secret, nor its length, nor which of the two it was.
"""

import hashlib
import hmac
from dataclasses import dataclass, field

from broker.core.secret import Secret

GRACE = 600.0  # seconds: clients read the same file as the broker, and Kubernetes takes minutes to bring it to them
_NONE = bytes(hashlib.sha256().digest_size)  # of no text that anybody knows


# Without an `==`: it would compare in variable time, and only whoever was given a secret is to ask.
@dataclass(frozen=True, slots=True, eq=False)
class ClientSecret:
    """The secret of now and the one before it, as digests; a digest of a poor secret can be guessed, so none is shown."""

    current: bytes = field(repr=False)
    former: bytes = field(default=_NONE, repr=False)
    former_until: float = float(
        "-inf"
    )  # on the clock of the host's boot: until when the former one still works

    @classmethod
    def of(cls, secret: Secret) -> "ClientSecret":
        """The first one: there is none before it."""
        return cls(_digest(secret))

    def replaced(self, new: Secret, now: float, grace: float = GRACE) -> "ClientSecret":
        """With another secret from now on, and this one for `grace` seconds more; the same object if it is the same."""
        digest = _digest(new)
        if hmac.compare_digest(digest, self.current):
            return self
        return ClientSecret(digest, self.current, now + grace)

    def accepts(self, given: Secret, now: float) -> bool:
        """Whether a client may present this."""
        digest = _digest(given)
        is_current = hmac.compare_digest(digest, self.current)
        is_former = hmac.compare_digest(digest, self.former)
        return is_current or (is_former and now < self.former_until)


def accepts(held: ClientSecret | None, given: Secret, now: float) -> bool:
    """Whether a client of an identity may present this, where `held` is what is set for the identity."""
    if held is None:
        return given.reveal() != ""
    return held.accepts(given, now)


def _digest(secret: Secret) -> bytes:
    # JSON may hold half of a pair of surrogates, which is no text in UTF-8 and must not raise.
    return hashlib.sha256(secret.reveal().encode(errors="surrogatepass")).digest()
