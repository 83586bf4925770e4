"""Keys, key streams and sealed messages, all from the library `cryptography`.

A source is a function of n that returns n random bytes: the operating system's, or a seeded one for simulations.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from horae.errors import WireError

Source = Callable[[int], bytes]
Words = NDArray[np.uint64]

KEY, SIGNATURE, TAG = 32, 64, 16
NONCE = bytes(12)  # every key seals one message


def seeded(seed: bytes) -> Source:
    """A source that repeats: one ChaCha20 key stream. For simulations and tests only.

    >>> seeded(b"a")(4) == seeded(b"a")(4) != seeded(b"b")(4)
    True
    """
    stream = Cipher(algorithms.ChaCha20(derive(seed, b"source"), bytes(16)), None).encryptor()
    return lambda n: stream.update(bytes(n))


def derive(secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA256: a key of 32 bytes for one purpose."""
    return HKDF(hashes.SHA256(), KEY, None, info).derive(secret)


def words(key: bytes, count: int) -> Words:
    """PRG(key): ChaCha20's key stream as numbers of 64 bits."""
    stream = Cipher(algorithms.ChaCha20(key, bytes(16)), None).encryptor().update(bytes(8 * count))
    return np.frombuffer(stream, "<u8").astype(np.uint64)


def seal(key: bytes, text: bytes, bound: bytes) -> bytes:
    """ChaCha20-Poly1305 under a key that is used once; `bound` is the associated data."""
    return ChaCha20Poly1305(key).encrypt(NONCE, text, bound)


def unseal(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    """The text. Errors: WireError where it was changed, or was sealed for another place."""
    try:
        return ChaCha20Poly1305(key).decrypt(NONCE, sealed, bound)
    except InvalidTag:
        raise WireError("a sealed message was changed, or was not meant for this place") from None


class Identity:
    """A long-term Ed25519 key; the public half is registered with the operator and known to the members."""

    def __init__(self, source: Source = os.urandom) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(source(KEY))
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, text: bytes) -> bytes:
        return self._key.sign(text)

    def secret(self) -> bytes:
        """The private half, to be kept where its owner is."""
        return self._key.private_bytes_raw()

    def __repr__(self) -> str:
        return f"Identity({self.public[:4].hex()}...)"


@lru_cache(maxsize=2**14)  # in one process many members check the same public signature
def signed_by(public: bytes, signature: bytes, text: bytes) -> bool:
    """Whether the holder of this identity signed the text."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


class Pair:
    """An X25519 key pair of one attempt."""

    def __init__(self, secret: bytes) -> None:
        self._key = X25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()

    def secret(self) -> bytes:
        """The private half, to be shared among neighbours."""
        return self._key.private_bytes_raw()

    def shared(self, other: bytes) -> bytes:
        """What only the holders of the two private halves know. Errors: WireError for a key that is none."""
        try:
            return self._key.exchange(X25519PublicKey.from_public_bytes(other))
        except ValueError:
            raise WireError("a public key that is none") from None

    def __repr__(self) -> str:
        return f"Pair({self.public[:4].hex()}...)"
