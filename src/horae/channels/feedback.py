"""What a lossy channel left out is sent the next time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from horae.types import Channel, Floats, Payload


@dataclass(frozen=True)
class Feedback:
    """Error feedback: a mark in the list of channels, from which on a client remembers what the server did not read.

        u' = u + e,     ü = D(C(u')),     e ← u' - ü

    C and D are the channels after the mark; e is the client's own, zero at first. The mark itself changes nothing and
    weighs nothing; the engine holds the memories, in the model's full space, and does the sums of this file.

    Source: Seide et al. (Interspeech 2014), Stich et al. (NeurIPS 2018), Algorithm 1. Reading: u is a whole local
    training's update; a client that is away for long still brings its e.
    """

    def encode(self, payload: Payload, rng: np.random.Generator) -> Payload:
        """As it is."""
        return payload

    def decode(self, payload: Payload) -> Payload:
        """As it was."""
        return payload


def parted(channels: Sequence[Channel]) -> tuple[tuple[Channel, ...], tuple[Channel, ...]] | None:
    """The channels before and after the mark, or None where nobody remembers."""
    at = next((i for i, channel in enumerate(channels) if isinstance(channel, Feedback)), None)
    return None if at is None else (tuple(channels[:at]), tuple(channels[at + 1 :]))


def wanted(updates: Floats, memory: Floats) -> Floats:
    """u' = u + e: what should reach the server, `(..., kept)`. memory: e of the same weights."""
    with np.errstate(over="ignore", invalid="ignore"):
        total: Floats = updates + memory
    return total


def remembered(want: Floats, read: Floats, memory: Floats) -> Floats:
    """e ← u' - ü, `(..., kept)`: what they remember from now on. want: u'; read: ü; memory: e until now.

    Where u' or ü is not finite the server refuses the update, and e stays what it was.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        left = want - read
    ok = np.isfinite(left).all(axis=-1, keepdims=True)
    kept: Floats = np.where(ok, left, memory).astype(np.float32)
    return kept
