"""Cohorts for a training loop of one's own: which clients train together, by plain numpy updates and without an engine.

cohorts = Cohorts(Auxo(), params=w0, participants=30, rounds=200)
for path in cohorts.leaves:
    clients = cohorts.match(path, online)
    lesson = cohorts.learn(path, clients, updates)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from horae.cohorts.lesson import Lesson, outcome_of, served
from horae.cohorts.records import (
    blank,
    checked_message,
    checked_records,
    client_ids,
    fresh,
    prefixes,
    recall,
    update_rows,
    vector,
)
from horae.errors import require
from horae.federate import news
from horae.pure.streams import stream
from horae.selectors import Uniform
from horae.types import (
    ROOT,
    Clustering,
    Cohort,
    CohortTree,
    Feedback,
    Floats,
    Groups,
    Ints,
    Lockstep,
    Path,
    Records,
    Sceptic,
    Split,
    State,
    Wishes,
)

if TYPE_CHECKING:
    from horae.engines.store import ClientStore

VERBS = ("init", "prepare", "request", "react", "quota", "learn", "reshape")


class Cohorts:
    """The coordinator of one federation: the tree of cohorts, and who is in a round.

    What a client remembers of cohorts is soft state: kept here (hold="here"), or by the caller (hold="caller"), who
    then passes `records` and brings them up to date with `react`. Losing a record costs the client its place, no more.
    The same calls in the same order give the same bits.

    Source: Auxo 3.2 and 5.1.
    """

    def __init__(
        self,
        clustering: Clustering,
        *,
        params: Any,
        participants: int,
        rounds: int,
        seed: int = 0,
        hold: Literal["here", "caller"] = "here",
        groups: Any = None,
    ) -> None:
        """params `(params,)`: the first model. participants: per round, all cohorts together. rounds: how often they
        all train, so that participants x rounds is the budget. groups `(clients,)`: planted groups, for the oracle.
        """
        whole = all(callable(getattr(clustering, verb, None)) for verb in VERBS) and not isinstance(
            clustering, Lockstep
        )
        require(whole and not isinstance(clustering, type), "clustering", "be like Auxo()", clustering)
        for name, value in (("participants", participants), ("rounds", rounds)):
            require(type(value) is int and value >= 1, name, "be a whole number >= 1", value)
        require(type(seed) is int and seed >= 0, "seed", "be a whole number >= 0", seed)
        require(hold in ("here", "caller"), "hold", "be 'here' or 'caller'", hold)
        self._clustering, self._seed, self._participants = clustering, seed, participants
        self._budget, self._used = participants * rounds, 0
        self._groups = None if groups is None else np.asarray(groups, np.int64)
        self._store = _store(self._groups) if hold == "here" else None
        root = Cohort(ROOT, vector(params, "params"), np.zeros(0, np.float32), clustering=clustering.init())
        self._tree = clustering.prepare(CohortTree({ROOT: root}), self._ask)
        self._matched: dict[Path, dict[int, tuple[float, bool]]] = {}

    # ---------------------------------------------------------------- what there is

    @property
    def leaves(self) -> tuple[Path, ...]:
        """The cohorts that train: `((),)` at first, `((0,), (1,))` after a split in two."""
        return self._tree.paths()

    @property
    def tree(self) -> CohortTree:
        """All cohorts, as a value."""
        return self._tree

    @property
    def quota(self) -> dict[Path, int]:
        """How many participants each leaf trains with."""
        return self._clustering.quota(self._tree, self._participants)

    @property
    def spent(self) -> float:
        """The share of the budget that is used."""
        return self._used / self._budget

    def params(self, path: Path) -> Floats:
        """A copy of a leaf's model; a child starts with its parent's."""
        return self._leaf(path).params.copy()

    # ---------------------------------------------------------------- a round

    def match(self, path: Path, online: Any, n: int | None = None, records: Records | None = None) -> Ints:
        """Those of `online` whose request leads to this leaf, by id: its quota of them, or n, picked uniformly.

        Whoever is in another round should not be named as online.
        """
        cohort, leaves = self._leaf(path), self.leaves
        wanted = self.quota[cohort.path] if n is None else n
        require(type(wanted) is int and wanted >= 0, "n", "be a whole number >= 0", wanted)
        clients = np.sort(client_ids(online, "online"))
        wishes = self.request(self._records(clients, records))
        here = np.flatnonzero(wishes.choice == leaves.index(cohort.path))
        rng = stream(self._seed, "select", cohort.round, *cohort.path)
        rows = Uniform().pick(None, here, wanted, 0.0, rng)
        pairs = zip(wishes.claims[rows].tolist(), wishes.exploring[rows].tolist(), strict=True)
        matched = self._matched.get(cohort.path, {})
        self._matched[cohort.path] = matched | dict(zip(clients[rows].tolist(), pairs, strict=True))
        return clients[rows]

    def learn(self, path: Path, clients: Any, updates: Any, params: Any = None) -> Lesson:
        """One cohort's round: tell the participants how well they fit, and split the cohort if it should.

        updates `(clients, params)`: w_client - w_round, rows as in `clients`. params: the cohort's new model; without
        it, the model moves by the mean update. A client counts once per match; late replies are welcome until the
        cohort splits. A round without replies changes nothing.
        """
        cohort, ids = self._leaf(path), client_ids(clients, "clients")
        matched = self._matched.get(cohort.path, {})
        strangers = [client for client in ids.tolist() if client not in matched]
        remedy = "call match first, and learn from each reply once"
        require(not strangers, "clients", f"be of those that match gave for {cohort.path}", strangers, remedy)
        rows = update_rows(updates, ids, cohort.params.size)
        if not ids.size:
            return Lesson(cohort.path, cohort.round)
        moved = cohort.params + rows.mean(axis=0)
        model = moved if params is None else vector(params, "params", cohort.params.size)
        memory, feedback = self._clustering.learn(cohort.clustering, outcome_of(cohort, ids, rows, matched), self._tree)
        cohort = replace(cohort, params=model, round=cohort.round + 1, clustering=memory)
        self._tree, self._used = self._tree.put(cohort), self._used + ids.size
        verdicts = self._clustering.reshape(memory, cohort.path, self._tree, self._participants, self.spent)
        messages = [] if feedback is None else [feedback]
        self._matched[cohort.path] = {c: asked for c, asked in matched.items() if c not in set(ids.tolist())}
        for verdict in verdicts:
            if isinstance(verdict, Split):
                self._tree = self._tree.split(verdict.path, verdict.k, self._clustering.init())
                self._matched.pop(verdict.path, None)
                messages.append(news(verdict, self._tree))
        if self._store is not None:
            for message in messages:
                self._store.make_room(message)
                self._store.write(self._clustering.react(self._store.records(message.clients), message))
        return Lesson(cohort.path, cohort.round, tuple(messages), tuple(verdicts))

    # ---------------------------------------------------------------- what clients remember

    def home(self, clients: Any, records: Records | None = None) -> list[Path]:
        """The leaf each client belongs to as far as it knows: what would serve it, had it no wish to explore."""
        ids, leaves = client_ids(clients, "clients"), self.leaves
        return [leaves[i] for i in self.request(self._records(ids, records), explore=False).choice.tolist()]

    def records(self, clients: Any) -> Records:
        """What these clients remember: to look at, or to hand to them (hold="here" only)."""
        return self._records(client_ids(clients, "clients"), None)

    def request(self, records: Records, *, explore: bool = True) -> Wishes:
        """The affinity requests of clients with these records; `choice` is the leaf that serves each, in `leaves`."""
        checked_records(records)
        wishes = self._clustering.request(records, self._tree, self._seed, explore=explore)
        if isinstance(self._clustering, Sceptic):
            wishes = self._clustering.believe(wishes, self._tree, records.clients, self._seed)
        return served(wishes, records, self._tree, self._seed)

    def react(self, records: Records | None, messages: Sequence[Feedback]) -> Records:
        """The records after messages have been read, where the caller holds them; newcomers get a row.

        Messages may be lost, come twice or in any order.
        """
        held = blank(np.zeros(0, np.int64)) if records is None else checked_records(records)
        for message in messages:
            checked_message(message)
            everybody = np.concatenate([held.clients, np.setdiff1d(message.clients, held.clients)])
            held = recall(everybody, [held], prefixes(message))
            mine = recall(message.clients, [held])
            held = recall(everybody, [held, self._clustering.react(mine, fresh(mine, message))])
        return held

    # ---------------------------------------------------------------- saving

    def snapshot(self) -> State:
        """All of it as a plain value; `horae.pure.packing.pack` makes bytes of that."""
        records = None if self._store is None else self._store.snapshot()
        return {"tree": self._tree, "used": self._used, "matched": dict(self._matched), "records": records}

    def restore(self, state: State) -> None:
        """Back to a snapshot, in an object that was made in the same way."""
        whole = isinstance(state, dict) and state.keys() == self.snapshot().keys()
        require(whole, "state", "be what snapshot() gave", state)
        mine, theirs = (next(iter(tree)).params.size for tree in (self._tree, state["tree"]))
        require(mine == theirs, "state", f"have models of {mine} parameters", theirs)
        held = "caller" if state["records"] is None else "here"
        require((self._store is None) == (held == "caller"), "hold", "be as when the snapshot was taken", held)
        self._tree, self._used = state["tree"], state["used"]
        self._matched = dict(state["matched"])  # what it holds is never changed, but replaced
        if self._store is not None:
            self._store.restore(state["records"])

    def _ask(self, work: Any, *, charge: bool = True) -> Any:
        """The planted groups are all that can be asked for without an engine."""
        require(isinstance(work, Groups), "clustering", "ask for nothing but Groups without an engine", work)
        return np.zeros(0, np.int64) if self._groups is None else np.unique(self._groups[self._groups >= 0])

    def _leaf(self, path: Path) -> Cohort:
        known = isinstance(path, tuple) and path in self._tree.cohorts
        remedy = "it has split" if isinstance(path, tuple) and path in self._tree.children else ""
        require(known, "path", f"be one of the leaves {', '.join(map(str, self.leaves))}", path, remedy)
        return self._tree[path]

    def _records(self, clients: Ints, given: Records | None) -> Records:
        if self._store is not None:
            require(given is None, "records", "be left out where hold is 'here'", given)
            return self._store.records(clients)
        require(given is not None, "records", "be given where hold is 'caller'", given)
        return recall(clients, [checked_records(given)] if given is not None else [])


def _store(groups: Ints | None) -> ClientStore:
    from horae.engines.store import ClientStore  # its package brings torch, which hold="caller" does without

    return ClientStore(groups)
