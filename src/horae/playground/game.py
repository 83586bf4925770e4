"""Clients that are points in the plane: their updates are seen as they are, and Auxo finds the heaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from threadpoolctl import threadpool_limits

from horae.clustering import Auxo
from horae.cohorts import Cohorts
from horae.errors import require
from horae.playground.measures import Planted, adjusted_rand_index, distances, planted, silhouette
from horae.pure.streams import stream, uniforms
from horae.types import UNKNOWN, Doubles, Floats, Ints, Path

AT = (14, 100, 224, 300, 500, 700)  # the rounds of the pictures in Auxo's README
LOOKS = 16  # how often a cohort that lives for the whole game is looked into
DAY, HOURS = 40, 0.2  # --hard: a client is online for a fifth of each day of 40 rounds
FAR = 20.0  # --hard: standard deviation of a round's offset, in both directions
STILLS = 24  # pictures of the animation


@dataclass(frozen=True)
class Game:
    """The options of `horae playground`; at: the rounds that are drawn, None for AT."""

    clients: int = 1000
    per_round: int = 50
    rounds: int = 800
    centers: int = 4
    std: float = 2.0
    data_seed: int = 100
    seed: int = 0
    hard: bool = False
    at: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        require(2 <= self.clients <= 5000, "--clients", "be >= 2 and <= 5000", self.clients)
        require(2 <= self.per_round <= self.clients, "--per-round", f"be >= 2 and <= {self.clients}", self.per_round)
        require(1 <= self.rounds <= 100_000, "--rounds", "be >= 1 and <= 100000", self.rounds)
        most = min(64, self.clients)
        require(1 <= self.centers <= most, "--centers", f"be >= 1 and <= {most}", self.centers)
        require(isfinite(self.std) and 0 < self.std <= 1e6, "--std", "be > 0 and <= 1e6", self.std)
        require(0 <= self.data_seed < 2**32, "--data-seed", "be >= 0 and < 2^32", self.data_seed)
        require(0 <= self.seed < 2**63, "--seed", "be >= 0 and < 2^63", self.seed)
        inside = all(1 <= at <= self.rounds for at in self.at or ())
        require(inside, "--at", f"name rounds from 1 to {self.rounds}", self.at)

    @property
    def drawn(self) -> tuple[int, ...]:
        """The rounds that become pictures, in order."""
        return tuple(sorted({at for at in (AT if self.at is None else self.at) if at <= self.rounds}))

    @property
    def stills(self) -> tuple[int, ...]:
        """The rounds of the animation, evenly spread."""
        return tuple(np.unique(np.linspace(1, self.rounds, STILLS).astype(int)).tolist())

    def method(self) -> Auxo:
        """Auxo as it plays: raw deviations, since directions in the plane make one heap look like two."""
        return Auxo(metric="l2", start=0.05, stop=0.2, k_max=4, check_every=max(1, self.rounds // LOOKS))


@dataclass(frozen=True)
class Frame:
    """A round's end: the cohorts, and the home of each client as an index into them, UNKNOWN for those never seen."""

    round: int
    cohorts: tuple[Path, ...]
    home: Ints
    scores: dict[str, float | int | None]


@dataclass(frozen=True)
class Played:
    """A game's end. rounds: each round's scores; frames: those to draw, by round; splits: one line each."""

    game: Game
    planted: Planted
    rounds: list[dict[str, float | int | None]] = field(default_factory=list)
    frames: dict[int, Frame] = field(default_factory=dict)
    splits: list[str] = field(default_factory=list)

    @property
    def summary(self) -> dict[str, float | int | None]:
        """The scores after the last round."""
        return {name: value for name, value in self.rounds[-1].items() if name not in ("round", "clients_seen")}


def play(game: Game, watch: Callable[[int], None] = lambda number: None) -> Played:
    """All rounds. Each samples clients that are there; every one asks for a cohort, is clustered and rewarded.

    There is no model: every update is the client's point, with `hard` moved by an offset that all share in that round
    and nobody knows. watch: called with each round's number.
    """
    with threadpool_limits(1):  # such small matrices gain nothing from threads, and lose much where others work too
        return _play(game, watch)


def _play(game: Game, watch: Callable[[int], None]) -> Played:
    played = Played(game, planted(game.clients, game.centers, game.std, game.data_seed))
    points, nothing = played.planted.points, np.zeros(2, np.float32)
    cohorts = Cohorts(game.method(), params=nothing, participants=game.per_round, rounds=game.rounds, seed=game.seed)
    home, gaps = np.full(game.clients, UNKNOWN), distances(points)
    wanted = {*game.drawn, *game.stills}
    for number in range(1, game.rounds + 1):
        sampled = _sample(game, number)
        offset = _offset(game, number)
        leaves = cohorts.leaves
        for path, clients in {path: cohorts.match(path, sampled, n=sampled.size) for path in leaves}.items():
            lesson = cohorts.learn(path, clients, points[clients] + offset, params=nothing)
            if lesson.split:
                played.splits.append(f"cohort {_name(path)} at round {number}: {lesson.split.reason}")
        split = len(leaves) < len(cohorts.leaves)
        _settle(cohorts, home, np.union1d(np.flatnonzero(home >= 0), sampled) if split else sampled)
        frame = _frame(number, cohorts.leaves, home.copy(), gaps, played.planted)
        played.rounds.append(frame.scores)
        if number in wanted:
            played.frames[number] = frame
        watch(number)
    return played


def _sample(game: Game, number: int) -> Ints:
    """Who takes part: `per_round` of those who are online."""
    everybody = np.arange(game.clients)
    if game.hard:
        phase = uniforms(game.seed, "playground hours", everybody)
        everybody = everybody[(phase + number / DAY) % 1.0 < HOURS]
    order = stream(game.seed, "playground sample", number).permutation(everybody.size)
    return everybody[np.sort(order[: game.per_round])]


def _offset(game: Game, number: int) -> Doubles:
    offset = stream(game.seed, "playground offset", number).normal(size=2) * FAR
    return offset if game.hard else np.zeros(2)


def _settle(cohorts: Cohorts, home: Ints, clients: Ints) -> None:
    """Note where these clients are at home, as indices into the leaves; others heard nothing, and stay."""
    index = {leaf: i for i, leaf in enumerate(cohorts.leaves)}
    home[clients] = [index[path] for path in cohorts.home(clients)]


def _frame(number: int, leaves: tuple[Path, ...], home: Ints, gaps: Floats, truth: Planted) -> Frame:
    """Where everybody who took part is at home, and how well that fits."""
    ids = np.flatnonzero(home >= 0)
    scores: dict[str, float | int | None] = {
        "round": number,
        "clients_seen": int(ids.size),
        "cohorts": len(leaves),
        "adjusted_rand_index": adjusted_rand_index(truth.groups[ids], home[ids]),
        "adjusted_rand_index_merged": adjusted_rand_index(truth.merged[ids], home[ids]),
        "silhouette": silhouette(gaps, home),
    }
    return Frame(number, leaves, home, scores)


def _name(path: Path) -> str:
    return ".".join(map(str, (0, *path)))
