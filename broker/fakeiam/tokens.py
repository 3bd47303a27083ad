"""Issuing tokens and judging them, with the answers that Keystone 30 was measured to give.

Rules:

- Every issue makes a new token; the older ones stay good. Times are floored to the second, so a token's real
  life is up to a second shorter than configured, and never longer than its key's.
- 404 when something is gone (unknown or deleted key, user, project; disabled project), 401 for other trouble.
- A token's roles are those that both the key's snapshot and the user's present roles have.
- A token issued in the second of a revocation by user is dead too: revocations compare floored times.
- A token of a key with access rules cannot be validated (404), nor read lists or keys (401).
"""

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from broker.fakeiam.model import Claim, Key, RefusedError, Token, new_audit_id, new_token_text
from broker.fakeiam.realm import Realm

UNAUTHORIZED: Final = "The request you have made requires authentication."
TWELVE_HOURS: Final = 12 * 3600.0
# Tokens remembered at once. The oldest are forgotten first and are then answered like garbage.
MOST_TOKENS: Final = 20_000


class Tokens:
    """The tokens of one realm; `life` in seconds may be changed at any time and holds for new tokens.

    `new_text` makes the tokens' texts, which must all differ: a simulation that is to run twice the same way has its own.
    """

    def __init__(
        self,
        realm: Realm,
        *,
        life: float = TWELVE_HOURS,
        most: int = MOST_TOKENS,
        new_text: Callable[[], str] | None = None,
    ) -> None:
        self._realm = realm
        self._new_text = new_text or new_token_text
        self._most = most
        self._held: dict[str, Token] = {}
        self._life = 0.0
        self.life = life

    @property
    def life(self) -> float:
        """Seconds that a new token lives."""
        return self._life

    @life.setter
    def life(self, seconds: float) -> None:
        if not 1 <= seconds <= 366 * 24 * 3600:
            raise ValueError(
                "a token's life must be between 1 second and 366 days; write it like 90s, 15m or 12h"
            )
        self._life = seconds

    def __len__(self) -> int:
        return len(self._held)

    def key_for(self, claim: Claim) -> Key | None:
        """The key that a claim names, whatever its secret."""
        if claim.key_id is not None:
            return self._realm.keys.get(claim.key_id)
        named = (key for key in self._realm.keys.values() if key.name == claim.name)
        return next((key for key in named if key.user_id == claim.user_id), None)

    def issue(self, claim: Claim) -> Token:
        """A new token, or RefusedError."""
        key = self.key_for(claim)
        if key is None:
            if claim.key_id is None:
                raise RefusedError(401, UNAUTHORIZED)
            raise _no_key(claim.key_id)
        # JSON can carry half a surrogate pair, which a plain encode() would answer with a traceback.
        given = claim.secret.encode(errors="surrogatepass")
        if not hmac.compare_digest(key.secret.encode(), given):
            raise RefusedError(401, UNAUTHORIZED)
        self.granted(key)
        now = self._realm.clock()
        ends = now + timedelta(seconds=self._life)
        if key.expires_at is not None:
            ends = min(ends, key.expires_at)
        token = Token(self._new_text(), key, floored(now), floored(ends), new_audit_id())
        self._hold(token, now)
        return token

    def find(self, text: str | None) -> Token | None:
        """The token of this text, dead or alive."""
        return None if text is None else self._held.get(text)

    def roles(self, token: Token) -> frozenset[str]:
        """The role names that a good token has now; RefusedError when it is dead."""
        if self._realm.keys.get(token.key.id) is not token.key:
            raise RefusedError(404, _missing(token.text))
        try:
            roles = self.granted(token.key)
        except RefusedError as refused:
            raise RefusedError(
                refused.code, _missing(token.text) if refused.code == 404 else refused.message
            ) from None
        revoked = self._realm.users[token.key.user_id].revoked_before
        if self._realm.clock() >= token.expires_at or (revoked is not None and token.issued_at <= revoked):
            raise RefusedError(401, UNAUTHORIZED)
        return roles

    def authenticate(self, text: str | None) -> Token:
        """The good token that a request carries in X-Auth-Token; RefusedError otherwise."""
        token = self.find(text)
        if token is None:
            raise RefusedError(401, UNAUTHORIZED)
        self.roles(token)
        if token.key.access_rules:
            raise RefusedError(401, UNAUTHORIZED)
        return token

    def validate(self, auth: str | None, subject: str | None) -> Token:
        """The good token `subject`, asked about by the bearer of `auth`, which may be the same one."""
        asker = self.find(auth)
        if asker is None:
            raise RefusedError(401, UNAUTHORIZED)
        self.roles(asker)
        token = self.find(subject)
        if subject is None or (token is not None and token.key.user_id != asker.key.user_id):
            raise not_allowed_to("identity:validate_token")
        if token is None or token.key.access_rules:
            raise RefusedError(404, _missing(subject))
        if token is not asker:
            try:
                self.roles(token)
            except RefusedError:
                raise RefusedError(404, _missing(subject)) from None
        return token

    def key_of(self, auth: str | None, user_id: str, key_id: str) -> Key:
        """A key as its owner may see it; RefusedError otherwise."""
        asker = self.authenticate(auth)
        key = self._realm.keys.get(key_id)
        # As in Keystone: a key that exists belongs to its owner, whichever user is asked about.
        if asker.key.user_id != (user_id if key is None else key.user_id):
            raise not_allowed_to("identity:get_application_credential")
        if key is None:
            raise _no_key(key_id)
        return key

    def revoke(self, text: str) -> None:
        """Kill one token for good; an unknown one is no trouble."""
        self._held.pop(text, None)

    def revoke_user(self, user_id: str) -> None:
        """Kill the tokens that a user has now, and no later ones."""
        self._held = {text: token for text, token in self._held.items() if token.key.user_id != user_id}

    def revoke_all(self) -> None:
        """Kill every token there is."""
        self._held.clear()

    def granted(self, key: Key) -> frozenset[str]:
        """The role names that a token issued now for this key gets; RefusedError when it gets none."""
        user = self._realm.users[key.user_id]
        project = self._realm.projects.get(key.project_id)
        roles = key.roles & user.roles.get(key.project_id, set())
        expired = key.expires_at is not None and self._realm.clock() >= key.expires_at
        if expired or not user.enabled:
            raise RefusedError(401, UNAUTHORIZED)
        if project is None:
            raise RefusedError(404, f"Could not find project: {key.project_id}.")
        if not project.enabled:
            raise RefusedError(404, f"Unable to validate token because project {project.id} is disabled")
        if not roles:
            raise RefusedError(401, UNAUTHORIZED)
        return frozenset(roles)

    def _hold(self, token: Token, now: datetime) -> None:
        if len(self._held) >= self._most:
            self._held = {text: held for text, held in self._held.items() if held.expires_at > now}
        while len(self._held) >= self._most:
            del self._held[next(iter(self._held))]
        self._held[token.text] = token


def not_allowed_to(action: str) -> RefusedError:
    """The refusal of something that only others may do."""
    return RefusedError(403, f"You are not authorized to perform the requested action: {action}.")


def _no_key(key_id: str) -> RefusedError:
    return RefusedError(404, f"Could not find Application Credential: {key_id}.")


def _missing(text: str) -> str:
    # Only one of Keystone's 404 messages quotes the token. Here all do, so that a client that logs them shows.
    return f"Could not find token: {text}."


def floored(when: datetime) -> datetime:
    """The same time without its fraction of a second."""
    return when.replace(microsecond=0)
