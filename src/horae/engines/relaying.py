"""A census among clients at sites: its operators' messages on their way there, and the members' back.

Each exchange is one question to every site that has something to hear. A star takes five: keys, shares, vectors,
signatures, openings. All that comes by here is public, masked or sealed; what is opened is one sum.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from horae.census import Coordinator, Kind, Log, Terms
from horae.census.keys import KEY
from horae.census.messages import VERSION
from horae.census.result import Result
from horae.census.vault import remove
from horae.engines.far import Asked, Exchange
from horae.engines.members import RUN, Deliver, read
from horae.engines.messages import ClientFailure
from horae.types import Ints

_OPENING, _ROSTER = bytes([VERSION, Kind.OPENING]), bytes([VERSION, Kind.ROSTER])
CENSUS = "census"
Row = frozenset[int]


@dataclass
class Epoch:
    """One operator, and what it has to say. opened: members that have forgotten their secrets already."""

    operator: Coordinator
    directory: dict[int, bytes]
    out: list[tuple[int, bytes]] = field(default_factory=list)
    opened: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.out += self.operator.start(0.0)

    def hear(self, client: int, said: list[bytes]) -> None:
        """What a member sent."""
        for data in said:
            if data.startswith(_OPENING):
                self.opened.add(client)
            self.out += self.operator.receive(client, data, 0.0)

    def without(self, client: int) -> None:
        """Its site is not there, or it is another than before."""
        self.lost.add(client)
        self.out += self.operator.gone(client, 0.0)

    def go_on(self) -> None:
        """Everybody has answered who will: the operator does not wait for more. Who opened needs no farewell."""
        while self.operator.result is None and not self.out:
            self.out += self.operator.tick(self.operator.deadline)
        if self.operator.result is not None:
            self.out = [(client, data) for client, data in self.out if client not in self.opened | self.lost]


class Relay:
    """The coordinator's end. exchange, owner: as for all questions. note: is told who fell out, and why."""

    def __init__(
        self, exchange: Exchange, owner: Callable[[Ints], Ints], note: Callable[[ClientFailure], None]
    ) -> None:
        self._exchange, self._owner, self._note = exchange, owner, note
        self.exchanges = 0
        self.renew()

    def renew(self) -> None:
        """A census of another name, which members do not take for this one."""
        self.run = secrets.token_bytes(RUN)
        self._keys: dict[int, bytes] = {}

    def count(self, rows: Sequence[Row], terms: Terms, epoch: int, log: Log) -> list[Result]:
        """One epoch for each of these rows, which are disjoint, all at a time; numbered from `epoch` on."""
        epochs = []
        for i, row in enumerate(rows):
            directory = {client: self._keys.get(client, b"") for client in sorted(row)}
            epochs.append(Epoch(Coordinator(terms, self.run, directory, epoch + i, log), directory))
        whose = {client: one for one in epochs for client in one.directory}
        while any(one.out for one in epochs):
            self._round(epochs, whose, terms.most)
            for one in epochs:
                one.go_on()
        return [self._told(one) for one in epochs]

    def close(self) -> None:
        """Members on this host that lasted as long as the run are removed."""
        remove(self.run)

    def _round(self, epochs: Sequence[Epoch], whose: dict[int, Epoch], most: int) -> None:
        """One exchange."""
        letters: dict[int, list[bytes]] = {}
        for one in epochs:
            for client, data in one.out:
                letters.setdefault(client, []).append(data)
            one.out = []
        parts = self._parts(letters, whose, most)
        self.exchanges += 1
        for part, answer in zip(parts, self._exchange(parts), strict=True):
            clients = part.work.clients.tolist()
            said = None if answer is None else read(answer, len(clients))
            if answer is not None and said is None:
                self._note(ClientFailure(clients[0], CENSUS, "its site's answer cannot be read"))
            for i, client in enumerate(clients):
                if said is None or not self._same(client, said[i][0], whose[client]):
                    whose[client].without(client)
                else:
                    whose[client].hear(client, said[i][1])

    def _parts(self, letters: dict[int, list[bytes]], whose: dict[int, Epoch], most: int) -> list[Asked]:
        clients = np.array(sorted(letters), np.int64)
        owner, found = self._owner(clients), []
        for site in np.unique(owner).tolist():
            rows = np.flatnonzero(owner == site)
            mine = clients[rows].tolist()
            texts = tuple(np.frombuffer(b"".join(letters[c]), np.uint8) for c in mine)
            lengths = tuple(tuple(map(len, letters[c])) for c in mine)
            known = {
                client: key
                for one in {id(whose[c]): whose[c] for c in mine if letters[c][-1].startswith(_ROSTER)}.values()
                for client, key in one.directory.items()
                if key
            }
            keys = np.frombuffer(b"".join(known.values()), np.uint8).reshape(len(known), KEY)
            run = np.frombuffer(self.run, np.uint8)
            work = Deliver(np.array(mine), run, most, texts, lengths, np.array(list(known), np.int64), keys)
            found.append(Asked(site, rows, work, {}))
        return found

    def _same(self, client: int, key: bytes, epoch: Epoch) -> bool:
        """The first key that a client shows is its key."""
        epoch.directory[client] = self._keys.setdefault(client, key)
        if epoch.directory[client] != key:
            self._note(ClientFailure(client, CENSUS, "its key is another than before"))
        return epoch.directory[client] == key

    def _told(self, one: Epoch) -> Result:
        result = one.operator.result
        assert result is not None
        why = {client: f"it left ({kind}): {words}" for client, kind, words in result.refusals}
        fell = {*result.dropped, *result.absent} - one.lost - why.keys() if result.totals is not None else ()
        for client, words in sorted({**dict.fromkeys(fell, "it said nothing that could be read"), **why}.items()):
            self._note(ClientFailure(client, CENSUS, words))
        return result


def apart(rows: Sequence[Row], history: Collection[Row]) -> list[list[Row]]:
    """These rows in waves: no chain of rows of the history ties two of a wave together.

    Then what a wave releases beside one of its rows says nothing about that row's clients, whoever drops out, and it is
    enough that each is audited by itself.

    >>> apart([frozenset({1, 2}), frozenset({3, 4})], [frozenset({2, 3})])
    [[frozenset({1, 2})], [frozenset({3, 4})]]
    """
    waves: list[tuple[list[Row], set[int]]] = []
    for row in rows:
        tied = _tied(row, history)
        for wave, reach in waves:
            if not tied & reach:
                wave.append(row)
                reach |= tied
                break
        else:
            waves.append(([row], set(tied)))
    return [wave for wave, _ in waves]


def _tied(row: Row, history: Collection[Row]) -> set[int]:
    """All clients that a chain of rows leads to."""
    reach, size = set(row), -1
    while len(reach) != size:
        size = len(reach)
        for other in history:
            if not reach.isdisjoint(other):
                reach |= other
    return reach
