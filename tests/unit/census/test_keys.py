"""Keys: published vectors, and nothing secret in a repr."""

import numpy as np
import pytest

from horae.census.keys import Identity, Pair, derive, seal, seeded, signed_by, unseal, words
from horae.errors import WireError


def test_x25519_as_in_rfc_7748():
    bob = Pair(bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
    alice = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    assert bob.public.hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    assert bob.shared(alice).hex() == "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"


def test_words_are_chacha20s_key_stream():
    # RFC 8439, A.1, test vector 1: key, nonce and counter zero
    stream = bytes.fromhex("76b8e0ada0f13d90405d6ae55386bd28")
    assert words(bytes(32), 2).tolist() == np.frombuffer(stream, "<u8").tolist()


def test_seals_hold():
    key = derive(b"secret", b"purpose")
    sealed = seal(key, b"text", b"bound")
    assert unseal(key, sealed, b"bound") == b"text"
    for broken, bound in ((sealed[:-1] + bytes([sealed[-1] ^ 1]), b"bound"), (sealed, b"elsewhere"), (b"", b"bound")):
        with pytest.raises(WireError, match="was changed, or was not meant for this place"):
            unseal(key, broken, bound)


def test_signatures_and_keys_that_are_none():
    me = Identity(seeded(b"me"))
    assert signed_by(me.public, me.sign(b"a"), b"a")
    assert not signed_by(me.public, me.sign(b"a"), b"b")
    assert not signed_by(b"short", me.sign(b"a"), b"a")
    with pytest.raises(WireError, match="a public key that is none"):
        Pair(bytes(31) + b"x").shared(bytes(32))  # a point of low order


def test_reprs_hold_no_secrets():
    secret = seeded(b"pair")(32)
    pair, me = Pair(secret), Identity(seeded(b"pair"))
    assert secret.hex()[:8] not in repr(pair) + repr(me)
    assert pair.secret() == secret
