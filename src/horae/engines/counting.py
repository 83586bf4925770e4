"""The census among clients, simulated ones or far away: who can be counted, the protocol, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from horae.census import Auditor, Groups, Kind, Log, Terms, World
from horae.census.result import ABORTED, Result
from horae.engines.matching import Matching
from horae.engines.relaying import Relay, apart
from horae.engines.world import World as Clients
from horae.pure.streams import stream
from horae.types import Census, Charge, Count, Ints, Path, Plan, State

LEAVING_S = 60.0  # who goes offline so soon is lost in the middle of the protocol
PURPOSE = "census"

Row = frozenset[int]


@dataclass(frozen=True)
class Total:
    """One epoch: label counts of the survivors `(classes,)`, None where they refused; bytes of all, up and down.

    again: nothing came of it, since sites did not answer, and it may be tried again.
    """

    counts: Ints | None
    survivors: int
    nbytes: tuple[int, int]
    again: bool = False


class Counting:
    """Windows of the census; every client is in at most one total of a window.

    Members live as long as the run: what was released once is remembered, whoever asks. relay: to the clients' sites,
    where their samples are not here.
    """

    def __init__(
        self,
        plan: Plan,
        clients: Clients,
        matching: Matching,
        present: Callable[[int, int], Ints],
        relay: Relay | None = None,
    ) -> None:
        self._plan, self._clients, self._matching, self._present = plan, clients, matching, present
        self._relay, self._log, self._tried = relay, Log(), set[Row]()
        self._members: World | None = None
        self._released: tuple[list[Row], int] = ([], 0)  # rows, and epochs begun
        self._auditor = Auditor()
        self._heard: dict[int, int] = {}  # how many of these rows each client has been told
        self._done: dict[Path, tuple[int, Row]] = {}
        self._groups: dict[Path, tuple[Row, ...]] = {}
        self._prices: dict[int, tuple[int, int]] = {}

    def count(self, work: Census, at_s: float) -> tuple[Count, tuple[Charge, ...]]:
        """The totals that clients release, and what they cost. at_s: when those who are `present` are there."""
        window, done = self._done.get(work.path, (work.window, Row()))
        done = done if window == work.window else Row()
        numbers, totals, charges, lost, refused = [], [], [], 0, 0
        rows = self._rows(work, self._there(work, done, at_s))
        for (number, row), total in zip(rows, self._totals(work, [row for _, row in rows], at_s), strict=True):
            charges.append(self._bill(row, total.nbytes))
            if not total.again:
                done |= row
                lost += len(row) - total.survivors
            if total.counts is None:
                refused += 1
                continue
            numbers.append(number)
            totals.append((total.counts, total.survivors))
        self._done[work.path] = (work.window, done)
        labels = np.array([counts for counts, _ in totals], np.int64).reshape(-1, self._clients.population.classes)
        sizes = np.array([n for _, n in totals], np.int64)
        return Count(np.array(numbers, np.int64), labels, sizes, lost, refused), tuple(charges)

    def snapshot(self) -> State:
        """Released rows and who was told of them, windows and groups."""
        rows, epoch = self._released
        done = {path: (window, _array(row)) for path, (window, row) in self._done.items()}
        groups = {path: [_array(group) for group in known] for path, known in self._groups.items()}
        heard = np.array(list(self._heard.items()), np.int64).reshape(-1, 2)
        return [_array(row) for row in rows], epoch, done, groups, heard

    def restore(self, state: State) -> None:
        """Back to a snapshot; keys are drawn anew."""
        rows, epoch, done, groups, heard = state
        self._heard = dict(heard.tolist())
        self._members, self._released = None, ([Row(row.tolist()) for row in rows], epoch)
        self._auditor, self._log = Auditor(self._released[0]), Log(self._released[0])
        self._tried = set(self._released[0])
        if self._relay is not None:
            self._relay.renew()
        self._done = {path: (window, Row(row.tolist())) for path, (window, row) in done.items()}
        self._groups = {path: tuple(Row(group.tolist()) for group in known) for path, known in groups.items()}

    # ---------------------------------------------------------------- who

    def _there(self, work: Census, done: Row, at_s: float) -> Ints:
        """Idle clients that are there, are served by the leaf, and were not counted in this window."""
        there = self._present(work.n + len(done), work.number)
        if work.tree is not None and there.size:
            leaves, home = self._matching.homes(work.tree, there, at_s)
            there = there[home == leaves.index(work.path)]
        return there[[c not in done for c in there.tolist()]][: work.n]

    def _rows(self, work: Census, there: Ints) -> list[tuple[int, Row]]:
        """Who is counted together: sticky groups that are there to the last member, or lots of those who are."""
        if work.sticky:
            known = Groups(max(work.group, work.fewest), self._plan.seed, self._groups.get(work.path, ()))
            known = known.joined(there.tolist())
            self._groups[work.path] = known.groups
            whole = set(known.whole(there.tolist()))
            return [(i, group) for i, group in enumerate(known.groups) if group in whole]
        lots = max(1, round(there.size / max(work.group, work.fewest)))
        order = stream(self._plan.seed, "census lots", work.number, work.window).permutation(there)
        parts = (Row(part.tolist()) for part in np.array_split(order, lots))
        return [(-1, part) for part in parts if len(part) >= work.fewest]

    def _leaving(self, row: Row, at_s: float) -> Row:
        ids = _array(row)
        until = self._clients.availability.until(ids, at_s, self._plan.seed)
        return Row(ids[until < at_s + LEAVING_S].tolist())

    # ---------------------------------------------------------------- one total

    def _totals(self, work: Census, rows: list[Row], at_s: float) -> list[Total]:
        if self._relay is not None:
            return self._far(work, rows)
        each = self._whole if work.whole else self._summed
        return [each(work, row, at_s) for row in rows]

    def _far(self, work: Census, rows: list[Row]) -> list[Total]:
        """By the protocol, among members at their sites: as many rows at a time as can be audited one by one."""
        assert self._relay is not None
        found: dict[Row, Total] = {}
        for wave in apart(rows, self._tried):
            results = self._relay.count(wave, self._terms(work), self._released[1] + 1, self._log)
            self._released = list(self._log.rows), self._released[1] + len(wave)
            self._tried |= set(wave)
            found |= {row: replace(_total(r), again=r.status == ABORTED) for row, r in zip(wave, results, strict=True)}
        return [found[row] for row in rows]

    def close(self) -> None:
        """Nobody is counted any more."""
        if self._relay is not None:
            self._relay.close()

    def _whole(self, work: Census, row: Row, at_s: float) -> Total:
        """By the protocol, every message of it."""
        members = self._world(work)
        members.hold(self._counts(row, at_s))
        for member in (members.members[client] for client in row):
            if (known := self._heard.get(member.client, np.inf)) < len(member.auditor.log.rows):  # since a snapshot
                member.auditor = Auditor(self._released[0][: int(known)])
        result = members.count(sorted(row), dict.fromkeys(self._leaving(row, at_s), Kind.TURN))
        self._released = (list(members.log.rows), members.epoch)
        self._heard |= {client: len(members.members[client].auditor.log.rows) for client in row}
        return _total(result)

    def _summed(self, work: Census, row: Row, at_s: float) -> Total:
        """The same total without the protocol's arithmetic; bytes are those of a census among as many."""
        survivors = row - self._leaving(row, at_s)
        rows, epoch = self._released
        price = self._price(work, len(row))
        if len(survivors) < work.fewest:
            return Total(None, 0, price)
        price = price[0], price[1] + self._told(survivors)
        if self._auditor.isolated(survivors):
            return Total(None, 0, price)
        self._auditor.follow([survivors])
        self._released = ([*rows, survivors], epoch + 1)
        counts = np.sum([np.minimum(c, work.clip) for c in self._counts(survivors, at_s).values()], axis=0)
        return Total(counts, len(survivors), price)

    def _told(self, row: Row) -> int:
        """Bytes of the rows that these have not been told yet: four for each number."""
        rows = self._released[0]
        nbytes = np.cumsum([0, *(4 + 4 * len(known) for known in rows)])
        heard = [self._heard.get(client, len(rows)) for client in row]
        self._heard |= dict.fromkeys(row, len(rows))
        return int((nbytes[-1] - nbytes[heard]).sum())

    def _price(self, work: Census, n: int) -> tuple[int, int]:
        if n not in self._prices:
            scratch = World(self._terms(work), seed=self._plan.seed)
            scratch.hold({i: np.zeros(self._clients.population.classes, np.int64) for i in range(n)})
            result = scratch.count()
            self._prices[n] = sum(result.bytes_up.values()), sum(result.bytes_down.values())
        return self._prices[n]

    def _counts(self, row: Row, at_s: float) -> dict[int, Ints]:
        people, ids = self._clients.population, _array(row)
        held = people.train_at(ids, at_s)
        return {
            client: np.bincount(people.y[own].ravel(), minlength=people.classes)[: people.classes]
            for client, own in zip(ids.tolist(), held, strict=True)
        }

    def _bill(self, row: Row, nbytes: tuple[int, int]) -> Charge:
        """Bytes shared evenly for the clients' seconds; training does not wait for a census."""
        kbps = self._clients.devices.capacity(_array(row), self._plan.seed).kbps
        seconds = float((sum(nbytes) / len(row) * 8 / 1000 / kbps).sum())
        return Charge(PURPOSE, len(row), nbytes[0], nbytes[1], 0, seconds)

    def _world(self, work: Census) -> World:
        if self._members is None:
            self._members = World(self._terms(work), seed=self._plan.seed)
            for row in self._released[0]:
                self._members.log.append(row)
            self._members.epoch = self._released[1]
        return self._members

    def _terms(self, work: Census) -> Terms:
        people = self._clients.population
        terms = Terms(people.classes, work.clip, work.fewest, transport=work.transport)
        most = min(people.train.most, work.clip * people.classes)
        return replace(terms, noise=work.noise, most=most) if work.noise else terms


def _total(result: Result) -> Total:
    nbytes = sum(result.bytes_up.values()), sum(result.bytes_down.values())
    return Total(result.totals, len(result.survivors) if result.totals is not None else 0, nbytes)


def _array(row: Row) -> Ints:
    return np.array(sorted(row), np.int64)
