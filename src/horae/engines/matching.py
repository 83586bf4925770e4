"""Which leaf serves which client: what clients remember, what they ask for, and what the coordinator makes of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from horae.engines.answering import Respond
from horae.engines.store import ClientStore
from horae.engines.world import World
from horae.population.harm import false_claims
from horae.pure.streams import uniforms
from horae.types import Bools, CohortTree, Ints, Lockstep, Losses, Path, Plan, Records, Sceptic, Wishes


class Matching:
    """The simulated clients' records, and their requests."""

    def __init__(self, plan: Plan, world: World, respond: Respond) -> None:
        """respond: asks clients for their losses, where these decide."""
        self._plan, self._world, self._respond = plan, world, respond
        forgets = partial(world.harm.forgets, seed=plan.seed) if world.harm.lost_affinity else None
        self.store = ClientStore(world.population.groups, forgets)

    def asked(self, tree: CohortTree, clients: Ints, at_s: float) -> tuple[Wishes, Ints]:
        """What these clients ask for aloud, as it is believed; and the leaf that serves each, as an index."""
        records = self._records(tree, clients, at_s)
        wishes = self._plan.clustering.request(records, tree, self._plan.seed, explore=True)
        wishes = self._believed(tree, self._said(tree, wishes, records), clients)
        return wishes, self._resolve(tree, wishes.paths, wishes.choice, clients)

    def homes(self, tree: CohortTree, clients: Ints, at_s: float) -> tuple[tuple[Path, ...], Ints]:
        """The leaf that each client would be served by, had it no wish to explore."""
        records = self._records(tree, clients, at_s)
        wishes = self._plan.clustering.request(records, tree, self._plan.seed, explore=False)
        wishes = self._believed(tree, wishes, clients)
        return tree.paths(), self._resolve(tree, wishes.paths, wishes.choice, clients)

    def served(self, tree: CohortTree, clients: Ints, path: Path, at_s: float) -> tuple[Wishes, Bools]:
        """The same with who of them is served by one leaf."""
        wishes, leaf = self.asked(tree, clients, at_s)
        here: Bools = leaf == tree.paths().index(path)
        return wishes, here

    def _records(self, tree: CohortTree, clients: Ints, at_s: float) -> Records:
        records, clustering = self.store.records(clients), self._plan.clustering
        if isinstance(clustering, Lockstep) and clustering.needs_losses:
            leaves = tree.leaves()
            models = tuple(leaf.params for leaf in leaves), tuple(leaf.buffers for leaf in leaves)
            records = replace(records, losses=self._respond(Losses(clients, *models), at_s))
        return records

    def _said(self, tree: CohortTree, wishes: Wishes, records: Records) -> Wishes:
        """What these clients ask for aloud: some claim falsely (`[harm]`)."""
        harm, seed = self._world.harm, self._plan.seed
        if not harm.false_claims or tree.width == 1:
            return wishes
        clients = records.clients
        truth = self._plan.clustering.request(records, tree, seed, explore=False)
        own = self._resolve(tree, truth.paths, truth.choice, clients)
        return false_claims(wishes, tree.paths(), own, harm.lies(clients, seed), clients, seed)

    def _believed(self, tree: CohortTree, wishes: Wishes, clients: Ints) -> Wishes:
        """What of it the coordinator believes."""
        clustering = self._plan.clustering
        if isinstance(clustering, Sceptic):
            wishes = clustering.believe(wishes, tree, clients, self._plan.seed)
        return wishes

    def _resolve(self, tree: CohortTree, paths: tuple[Path, ...], choice: Ints, clients: Ints) -> Ints:
        """The leaf that serves each wish, as an index into the leaves; only stale wishes need more than a look-up."""
        index = {leaf: i for i, leaf in enumerate(tree.paths())}
        table = np.array([index.get(path, -1) for path in paths], np.int64)
        served = table[choice]
        for row in np.flatnonzero(served < 0).tolist():
            client = clients[row : row + 1]
            record = self.store.records(client)
            cluster = dict(zip(record.paths, record.cluster[0].tolist(), strict=True))
            u = float(uniforms(self._plan.seed, "resolve", client)[0])
            served[row] = index[tree.resolve(paths[choice[row]], cluster, u)]
        return served
