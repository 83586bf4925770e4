"""Shamir's secret sharing over GF(2^256 + 297): t shares are the secret, t - 1 are nothing.

Source: Shamir (1979).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

PRIME = 2**256 + 297
SIZE = 33  # bytes of a share
SECRET = 32  # bytes of a secret


def split(secret: bytes, holders: int, threshold: int, source: Callable[[int], bytes]) -> list[bytes]:
    """One share for each of the holders 1, 2, ...: f(x) with f(0) = the secret and f of degree t - 1.

    >>> split(bytes(31) + bytes([7]), 3, 1, lambda n: bytes(n))[2][-1]
    7
    """
    if len(secret) != SECRET or not 1 <= threshold <= holders:
        raise ValueError("a secret has 32 bytes, and a threshold is in [1, holders]")
    # 16 bytes more than the field: what is uneven about the remainder is below 2^-127
    terms = [int.from_bytes(source(SIZE + 16), "big") % PRIME for _ in range(threshold - 1)]
    terms = [*reversed(terms), int.from_bytes(secret, "big")]
    return [_at(terms, x).to_bytes(SIZE, "big") for x in range(1, holders + 1)]


def join(shares: Mapping[int, bytes], threshold: int) -> bytes:
    """The secret, from t shares by holder; more than t are not looked at.

    Errors: ValueError where there are too few, or where they are no shares of one secret.
    """
    if len(shares) < threshold:
        raise ValueError(f"{len(shares)} shares, {threshold} needed")
    chosen = tuple(sorted(shares)[:threshold])
    values = [value_of(shares[x]) for x in chosen]
    secret = sum(w * y for w, y in zip(weights(chosen), values, strict=True)) % PRIME
    if secret >> (8 * SECRET):
        raise ValueError("the shares do not belong together")
    return secret.to_bytes(SECRET, "big")


def value_of(share: bytes) -> int:
    """A share as an element of the field. Errors: ValueError."""
    value = int.from_bytes(share, "big")
    if len(share) != SIZE or value >= PRIME:
        raise ValueError("not a share")
    return value


@lru_cache(maxsize=4096)
def weights(holders: tuple[int, ...]) -> tuple[int, ...]:
    """Lagrange's weights at 0: f(0) = Σ w_x f(x), w_x = Π z / (z - x) over the others z.

    >>> weights((1, 2)) == (2, PRIME - 1)
    True
    """
    result = []
    for x in holders:
        above = below = 1
        for z in holders:
            if z != x:
                above, below = above * z % PRIME, below * (z - x) % PRIME
        result.append(above * pow(below, -1, PRIME) % PRIME)
    return tuple(result)


def _at(terms: list[int], x: int) -> int:
    value = 0
    for term in terms:
        value = (value * x + term) % PRIME
    return value
