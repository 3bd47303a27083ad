"""Seals bytes so that one of the identity's access keys is needed to open them; pure but for the random numbers.

    magic 8 | salt 32 | number of slots 1 | slots of 60 each | nonce 12 | body, encrypted, and its tag 16

- A fresh data key encrypts the body under AES-256-GCM. Everything before the body is authenticated with it, so no bit
  of the file can change.
- A slot is a nonce and the data key, encrypted under HKDF-SHA256 of one access secret. The salt is fresh at each
  sealing, so no key-encrypting key is ever used for two files.
- The info of HKDF binds a slot to version, identity, address of IAM and access key: a file moved elsewhere is foreign.
- No slot says whose it is: each key tries each slot.
"""

import secrets
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from broker.core.model import AccessKey
from broker.store.unusable import Unusable

MAGIC = b"KCBSEAL\x01"  # the last byte is the version
MOST_SLOTS = 8
_SALT = 32
_KEY = 32
_NONCE = 12
_TAG = 16
_SLOT = _NONCE + _KEY + _TAG
_SLOTS_AT = len(MAGIC) + _SALT + 1


@dataclass(frozen=True, slots=True)
class Scope:
    """What a sealed file belongs to, beside its keys."""

    identity: str
    iam_url: str


def seal(plain: bytes, scope: Scope, keys: Sequence[AccessKey]) -> bytes:
    """What each of the keys opens; raises ValueError when there is none, or more than eight."""
    if not 1 <= len(keys) <= MOST_SLOTS:
        raise ValueError(f"something is sealed with 1 to {MOST_SLOTS} keys, not with {len(keys)}")
    data_key, salt, nonce = AESGCM.generate_key(256), secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
    slots = b"".join(_wrapped(data_key, _wrapping(key, scope, salt)) for key in keys)
    header = MAGIC + salt + bytes([len(keys)]) + slots + nonce
    return header + AESGCM(data_key).encrypt(nonce, plain, header)


def open_sealed(sealed: bytes, scope: Scope, keys: Sequence[AccessKey]) -> bytes:
    """What was sealed; raises Unusable, and nothing else, whatever the bytes are."""
    if sealed[: len(MAGIC)] != MAGIC:
        raise Unusable("it is no sealed file of this version")
    count = sealed[_SLOTS_AT - 1] if len(sealed) >= _SLOTS_AT else 0
    body_at = _SLOTS_AT + count * _SLOT + _NONCE
    if not 1 <= count <= MOST_SLOTS or len(sealed) < body_at + _TAG:
        raise Unusable("it is damaged")
    salt, slots = sealed[len(MAGIC) : _SLOTS_AT - 1], sealed[_SLOTS_AT : body_at - _NONCE]
    for data_key in _data_keys(slots, [_wrapping(key, scope, salt) for key in keys]):
        header, nonce = sealed[:body_at], sealed[body_at - _NONCE : body_at]
        try:
            return AESGCM(data_key).decrypt(nonce, sealed[body_at:], header)
        except InvalidTag:
            raise Unusable("it is damaged") from None
    raise Unusable("no access key of this identity opens it: they were replaced, or it is damaged")


def _data_keys(slots: bytes, wrappings: Sequence[AESGCM]) -> Iterator[bytes]:
    for at in range(0, len(slots), _SLOT):
        nonce, wrapped = slots[at : at + _NONCE], slots[at + _NONCE : at + _SLOT]
        for wrapping in wrappings:
            try:
                yield wrapping.decrypt(nonce, wrapped, MAGIC)
            except InvalidTag:
                continue


def _wrapped(data_key: bytes, wrapping: AESGCM) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + wrapping.encrypt(nonce, data_key, MAGIC)


def _wrapping(key: AccessKey, scope: Scope, salt: bytes) -> AESGCM:
    # Each part has its length before it: no two scopes have the same info.
    parts = [MAGIC, *(_bytes(text) for text in (scope.identity, scope.iam_url, key.ref))]
    info = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    kdf = HKDF(algorithm=SHA256(), length=_KEY, salt=salt, info=info)
    return AESGCM(kdf.derive(_bytes(key.secret.reveal())))


def _bytes(text: str) -> bytes:
    # A value of the environment may hold what is no UTF-8; it must not be an error here.
    return text.encode(errors="surrogatepass")
