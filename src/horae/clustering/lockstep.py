"""What clusterings with shared rounds have in common: a server that knows where each client it met belongs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from horae.clustering.common import even_quota
from horae.pure.streams import uniforms
from horae.types import Ask, CohortTree, Doubles, Feedback, Floats, Ints, Outcome, Path, Records, Verdict, Wishes


@dataclass(frozen=True)
class Replies:
    """What one cohort's clients sent in a shared round, until that is settled.

    clients, samples, losses `(q,)`; updates `(q, params)`; params `(params,)`: the model that they began with.
    """

    clients: Ints
    updates: Floats
    samples: Ints
    losses: Doubles
    params: Floats


@dataclass(frozen=True)
class Rows:
    """A vector per client, the latest it sent. clients `(n,)` in order of id; rows `(n, dims)`."""

    clients: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    rows: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def put(self, clients: Ints, rows: Floats) -> Rows:
        """The same with these clients' vectors, in the place of older ones."""
        if not clients.size:
            return self
        old = ~np.isin(self.clients, clients)
        ids = np.concatenate([self.clients[old], clients])
        held = np.concatenate([self.rows[old], rows]) if old.any() else rows
        order = np.argsort(ids)
        return Rows(ids[order], held[order])

    def of(self, clients: Ints) -> Floats:
        """The vectors of these clients, who all have one."""
        wanted: Floats = self.rows[np.searchsorted(self.clients, clients)]
        return wanted


class SharedRounds:
    """The verbs that clusterings with shared rounds (`Lockstep`) have in common. A member adds `settle`, and `meet`
    where newcomers are asked for something.

    What such a server knows, `tree.common`, has a field `home`: the path of the leaf of each client that was met, by
    id. Who was not is served by a leaf at random.
    """

    @property
    def needs_losses(self) -> bool:
        """Losses do not decide."""
        return False

    def init(self) -> None:
        """A cohort keeps nothing but the replies of a round that is not settled yet."""

    def prepare(self, tree: CohortTree, ask: Ask) -> CohortTree:
        """The root alone."""
        return tree

    def meet(self, tree: CohortTree, clients: Ints, ask: Ask) -> CohortTree:
        """Newcomers are asked for nothing."""
        return tree

    def request(self, records: Records, offers: CohortTree, seed: int, *, explore: bool) -> Wishes:
        """The leaf where the server knows each client to belong; no message is needed for that."""
        home: Mapping[int, Path] = {} if offers.common is None else offers.common.home
        return wishes(offers.paths(), at_home(home, records.clients, offers.paths(), seed))

    def react(self, records: Records, feedback: Feedback) -> Records:
        """Clients remember nothing."""
        return records

    def ready(self, tree: CohortTree, running: frozenset[Path]) -> list[Path]:
        """All leaves together, once the last of them is idle."""
        return [] if running else list(tree.paths())

    def quota(self, tree: CohortTree, n: int) -> dict[Path, int]:
        """Near-equal shares; in a shared round a cohort has as many as belong there."""
        return even_quota(tree, n)

    def learn(self, state: Replies | None, outcome: Outcome, tree: CohortTree) -> tuple[Replies | None, None]:
        """The replies are kept until the shared round is settled; clients are told nothing."""
        if outcome.empty:
            return state, None
        rows = outcome.updates.rows.copy()  # the trainer uses its room again
        begun = tree[outcome.round.path].params
        return Replies(outcome.clients, rows, outcome.samples, outcome.losses, begun), None

    def reshape(
        self, state: Replies | None, path: Path, tree: CohortTree, participants: int, spent: float
    ) -> list[Verdict]:
        """Never by a cohort alone."""
        return []


def wishes(leaves: tuple[Path, ...], choice: Ints) -> Wishes:
    """Requests that need no message. choice `(q,)`: indices into the leaves."""
    n = choice.size
    return Wishes(leaves, choice, np.full(n, np.nan), np.zeros(n, bool), np.zeros(n, np.int64))


def at_home(home: Mapping[int, Path], clients: Ints, leaves: tuple[Path, ...], seed: int) -> Ints:
    """Each client's leaf as an index, `(q,)`; a leaf at random, always the same, for those without one."""
    index = {leaf: i for i, leaf in enumerate(leaves)}
    known = np.array([index.get(home.get(client, (-1,)), -1) for client in clients.tolist()], np.int64)
    anywhere = (uniforms(seed, "no home", clients) * len(leaves)).astype(np.int64)
    choice: Ints = np.where(known < 0, np.minimum(anywhere, len(leaves) - 1), known)
    return choice


def settled(tree: CohortTree) -> tuple[CohortTree, dict[Path, Replies]]:
    """The tree without the replies of the shared round, and these by cohort, in path order."""
    replies = {leaf.path: leaf.clustering for leaf in tree.leaves() if leaf.clustering is not None}
    for path in replies:
        tree = tree.put(replace(tree[path], clustering=None))
    return tree, replies
