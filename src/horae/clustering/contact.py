"""First contact: what a server asks of clients that it meets for the first time, and the groups that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from horae.types import ROOT, Ask, CohortTree, Doubles, Floats, Ints, Path, Practice, Practise, Split

NAN = float("nan")


@dataclass(frozen=True)
class Groups:
    """What was made of a first batch of clients.

    home: the leaf of each client that was met, by id. params, buffers: the model that newcomers practise on. centres
    `(k, dims)`: what a newcomer is compared with. news: the split, until it is told.
    """

    home: Mapping[int, Path]
    params: Floats
    buffers: Floats
    centres: Doubles
    news: tuple[Split, ...] = ()

    def place(self, clients: Ints, group: Ints) -> Groups:
        """The same with homes for these clients. group `(q,)`."""
        found = {client: (int(i),) for client, i in zip(clients.tolist(), group.tolist(), strict=True)}
        return replace(self, home={**self.home, **found})


def strangers(home: Mapping[int, Path], clients: Ints) -> Ints:
    """Those of the clients that have no home yet."""
    return clients[[client not in home for client in clients.tolist()]] if clients.size else clients


def first_updates(ask: Ask, work: Practise) -> Practice:
    """What clients made of a practice, without those whose update is not finite: they are asked again next time."""
    told: Practice = ask(work)
    ok = np.isfinite(told.updates.norms())
    return Practice(told.clients[ok], told.updates.only(ok), told.samples[ok], told.losses[ok])


def unit(rows: NDArray[np.floating]) -> Doubles:
    """Each row at length one, `(n, dims)`; a row of zeros stays."""
    whole = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(whole, axis=1, keepdims=True)
    scaled: Doubles = whole / np.maximum(lengths, 1e-300)
    return scaled


def means(rows: NDArray[np.floating], labels: Ints, k: int) -> Doubles:
    """The mean row of each of k groups, none of them empty, `(k, dims)`."""
    return np.stack([np.asarray(rows[labels == group], np.float64).mean(axis=0) for group in range(k)])


def parted(clients: Ints, labels: Ints, k: int, how: str) -> Split:
    """The split of the root, for the log."""
    sizes = " + ".join(map(str, np.bincount(labels, minlength=k)))
    return Split(ROOT, NAN, NAN, f"split into {k}: {how}, clients {sizes}", k, clients, labels)


def told(tree: CohortTree) -> tuple[CohortTree, list[Split]]:
    """The tree without the news, and these."""
    groups: Groups = tree.common
    return replace(tree, common=replace(groups, news=())), list(groups.news)
