"""The members of a census where their samples are: woken for the messages that a question brings, and put away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.alignment import Halor
from horae.census import Terms
from horae.census.kept import Kept
from horae.census.keys import KEY
from horae.census.vault import Folder, Vault, temporary
from horae.errors import RunError
from horae.population import Population
from horae.types import Census, Ints, Plan

Octets = NDArray[np.uint8]
Arrays = Mapping[str, NDArray[Any]]
Letters = tuple[bytes, list[bytes]]  # a client's public key, and what its member sends
RUN = 16  # bytes of a run's name

_vault: ContextVar[Vault | None] = ContextVar("vault", default=None)


@dataclass(frozen=True)
class Deliver:
    """Messages of a census for some clients' members. The answer: arrays, see `written`.

    run: the census's name. most: of the terms, where there is noise. letters: for each client its messages, one after
    the other; lengths: for each how long they are. known, keys `(k, 32)`: whose public key is which, as the operator
    says.
    """

    clients: Ints
    run: Octets
    most: int
    letters: tuple[Octets, ...] = field(repr=False)
    lengths: tuple[tuple[int, ...], ...]
    known: Ints
    keys: Octets = field(repr=False)


@contextmanager
def kept_in(vault: Vault) -> Iterator[None]:
    """Members that are woken meanwhile, in this thread, are kept there."""
    token = _vault.set(vault)
    try:
        yield
    finally:
        _vault.reset(token)


def delivered(work: Deliver, plan: Plan, people: Population, at_s: float) -> dict[str, NDArray[Any]]:
    """Have its members hear the messages. Their terms are this site's own experiment's. Errors: RunError."""
    run = work.run.tobytes()
    if len(run) != RUN or work.keys.shape != (work.known.size, KEY):
        raise RunError("a census that is none")
    terms = terms_here(plan, people, work.most)
    directory = {int(c): key.tobytes() for c, key in zip(work.known, work.keys, strict=True)}
    vault, said = _vault.get() or Folder(temporary(run)), list[Letters]()
    with vault.alone():
        for client, text, lengths in zip(work.clients.tolist(), work.letters, work.lengths, strict=True):
            member = Kept(vault, client, run, terms, label_counts(people, client, at_s))
            replies = member.hear(_cut(text.tobytes(), lengths), directory)
            said.append((member.public, replies))
    return written(said)


def terms_here(plan: Plan, people: Population, most: int) -> Terms:
    """What this site agrees to, whatever the operator says: the alignment's terms. Errors: RunError."""
    aligned = plan.alignment
    if not isinstance(aligned, Halor) or aligned.protocol != "run":
        raise RunError("this experiment has nobody counted")
    most = most if aligned.noise else 0
    return Terms(people.classes, Census.clip, aligned.fewest, noise=aligned.noise, most=most)


def label_counts(people: Population, client: int, at_s: float) -> Ints:
    """How many training samples of each label a client holds, `(classes,)`."""
    (own,) = people.train_at(np.array([client]), at_s)
    found: Ints = np.bincount(people.y[own].ravel(), minlength=people.classes)[: people.classes]
    return found


def written(said: Sequence[Letters]) -> dict[str, NDArray[Any]]:
    """Replies as arrays. keys `(clients, 32)`; rows, sizes: whose each letter is, and its length; letters."""
    flat = [(row, reply) for row, (_, replies) in enumerate(said) for reply in replies]
    return {
        "keys": np.frombuffer(b"".join(key for key, _ in said), np.uint8).reshape(len(said), KEY),
        "rows": np.array([row for row, _ in flat], np.int64),
        "sizes": np.array([len(reply) for _, reply in flat], np.int64),
        "letters": np.frombuffer(b"".join(reply for _, reply in flat), np.uint8),
    }


def read(answer: Arrays, clients: int) -> list[Letters] | None:
    """A site's replies, by client; None where they cannot be read."""
    if set(answer) != {"keys", "rows", "sizes", "letters"}:
        return None
    keys, rows, sizes, letters = (answer[name] for name in ("keys", "rows", "sizes", "letters"))
    fine = keys.shape == (clients, KEY) and keys.dtype == letters.dtype == np.uint8 and letters.ndim == 1
    fine = fine and rows.dtype == sizes.dtype == np.int64 and rows.ndim == sizes.ndim == 1 and rows.size == sizes.size
    if not fine or (rows < 0).any() or (rows >= clients).any() or (sizes < 0).any() or (sizes > letters.size).any():
        return None
    if int(sizes.sum()) != letters.size:
        return None
    found: list[Letters] = [(key.tobytes(), []) for key in keys]
    for row, text in zip(rows.tolist(), _cut(letters.tobytes(), sizes.tolist()), strict=True):
        found[row][1].append(text)
    return found


def _cut(text: bytes, lengths: Sequence[int]) -> list[bytes]:
    ends = np.cumsum([0, *lengths]).tolist()
    return [text[a:b] for a, b in pairwise(ends)]
