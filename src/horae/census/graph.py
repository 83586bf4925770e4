"""Who masks with whom: a ring in an order that nobody chose, each with its k predecessors and k successors."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from functools import lru_cache


@lru_cache(maxsize=8)
def ring(nonce: bytes, clients: tuple[int, ...]) -> tuple[int, ...]:
    """The clients in ring order: sorted by HMAC(nonce, id), where the nonce hashes everybody's fresh keys."""
    return tuple(sorted(clients, key=lambda client: hmac.digest(nonce, client.to_bytes(4, "little"), "sha256")))


def neighbours(order: tuple[int, ...], place: int, degree: int) -> tuple[int, ...]:
    """The neighbours of whoever sits at this place, in ring order; everybody else where there are at most d + 1.

    >>> neighbours((5, 3, 8, 1, 9, 7), 0, 4)
    (9, 7, 3, 8)
    >>> neighbours((5, 3, 8), 1, 4)
    (8, 5)
    """
    n = len(order)
    steps = [*range(1, n)] if n <= degree + 1 else [s for s in range(-degree // 2, degree // 2 + 1) if s]
    return tuple(order[(place + step) % n] for step in steps)


def connected(order: tuple[int, ...], degree: int, survivors: Collection[int]) -> bool:
    """Whether the survivors' masks hang together: else each part's sum could be told by itself.

    Survivors one after the other on the ring are neighbours unless k or more between them are gone. One such gap
    leaves a path, two leave two parts.

    >>> connected((0, 1, 2, 3, 4, 5, 6, 7), 4, {2, 3, 6, 7}), connected((0, 1, 2, 3, 4, 5, 6, 7), 4, {3, 4, 6, 7})
    (False, True)
    """
    n = len(order)
    if n <= degree + 1:
        return True
    places = [place for place, client in enumerate(order) if client in survivors]
    steps = [(b - a) % n or n for a, b in zip(places, [*places[1:], *places[:1]], strict=True)]
    return sum(step > degree // 2 for step in steps) <= 1
