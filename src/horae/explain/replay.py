"""What a client held after each message it got, worked out again from the log by the client's own rule.

R ← γ ΔR + (1 - γ) R for the cohort it visited, a guess for those it never visited, and what a split told it: the same
`react` and `request` that the client ran, on rewards of four digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.clustering.auxo import Auxo
from horae.errors import ConfigError, RunError
from horae.explain.reading import clustering_of, column, path_of
from horae.pure.affinity import labelled
from horae.report.loading import Run
from horae.report.reading import Arm, Event
from horae.report.recorder import label
from horae.types import ROOT, UNKNOWN, Cohort, CohortTree, Feedback, Path, Records

_NOTHING = np.zeros(0, np.float32)
MOST_ROUNDS = 2**40  # no run has as many, a damaged log may
NEAR = 2e-3  # claims are written with three digits, rewards with four


@dataclass(frozen=True)
class Wish:
    """What a client asks for when it does not explore: cohort and the reward it claims there, NaN for none."""

    cohort: str
    claim: float


@dataclass(frozen=True)
class Moment:
    """After a message. event: the round or the split that it told of; known: the leaves that the client knows."""

    event: Event
    records: Records
    known: tuple[Path, ...]
    wish: Wish

    @property
    def held(self) -> dict[str, float]:
        """R of every cohort that the client visited or was assigned."""
        return {name: self.reward(name) for name in self.names if self.visits(name) or self.assigned(name)}

    @property
    def names(self) -> list[str]:
        """Every cohort there ever was."""
        return [label(path) for path in self.records.paths]

    def reward(self, name: str) -> float:
        """R of one cohort."""
        return round(float(self.records.reward[0, self._at(name)]), 4) + 0.0

    def visits(self, name: str) -> int:
        """How often it trained there."""
        return int(self.records.visits[0, self._at(name)])

    def cluster(self, name: str) -> int:
        """Its cluster inside a cohort, UNKNOWN where it was not told."""
        return int(self.records.cluster[0, self._at(name)])

    def assigned(self, name: str) -> bool:
        """True where it was told in the parent that this child is its own."""
        heard = bool(self.records.heard[0, self._at(name)])
        return heard and bool(labelled(self.records.paths, self.records.cluster)[0, self._at(name)])

    def _at(self, name: str) -> int:
        return self.records.paths.index(path_of(name))


def auxo_of(run: Run) -> Auxo | None:
    """The client's rule with the run's own γ; None where it is another one or not written down, or where clients began
    with what they remembered of another run (`clustering.from`).

    Errors: RunError where experiment.toml does not say what Auxo can use.
    """
    if clustering_of(run.main) != "auxo" or not run.experiment or run.settings.get("clustering.from"):
        return None
    fields = {name: run.settings.get(f"clustering.{name}", getattr(Auxo, name)) for name in ("gamma", "epsilon")}
    reward = run.settings.get("clustering.reward", Auxo.reward)
    if not all(type(value) in (int, float) for value in fields.values()) or reward not in ("measured", "paper"):
        raise RunError(f"{run.directory / 'experiment.toml'} should hold clustering.gamma, epsilon and reward of auxo")
    try:
        return Auxo(**fields, reward=reward)
    except ConfigError as error:
        raise RunError(f"{run.directory / 'experiment.toml'}: {error}") from None


def can_replay(arm: Arm) -> bool:
    """True where the log holds what single clients were told: earlier versions wrote counts only."""
    children = [split for split in arm.splits if split.get("children")]
    if children:
        return all("members" in split for split in children)
    return any("labels" in event for event in arm.of("round"))


def replay(arm: Arm, client: int, rule: Auxo) -> list[Moment]:
    """A client's memory after every message, from nothing. Errors: RunError for names that are none."""
    paths = _in_order_of_birth(arm)
    zeros = np.zeros((1, len(paths)))
    records = Records(
        np.array([client]), paths, zeros, np.full(zeros.shape, UNKNOWN), zeros.astype(int), zeros.astype(bool),
        np.array([UNKNOWN]),
    )  # fmt: skip
    leaves: tuple[Path, ...] = (ROOT,)
    moments = []
    for event in arm.events:
        message = None
        if event["event"] == "round" and client in event["clients"]:
            message = _affinity(event, client, leaves)
        elif event["event"] == "verdict" and event["split"]:
            leaves = _after(leaves, event)
            message = _news(event, client, leaves)
        if message is not None:
            records = rule.react(records, message)
            moments.append(Moment(event, records, leaves, wish(arm, records, leaves, rule)))
    return moments


def wish(arm: Arm, records: Records, leaves: tuple[Path, ...], rule: Auxo) -> Wish:
    """What the client would ask for if it did not explore."""
    rounds = 1 + min(MOST_ROUNDS, max((event["number"] for event in arm.of("round")), default=0))
    offers = CohortTree({leaf: Cohort(leaf, _NOTHING, _NOTHING, rounds) for leaf in leaves})
    found = rule.request(records, offers, int(arm.last("run").get("seed", 0)), explore=False)
    return Wish(label(found.paths[int(found.choice[0])]), float(found.claims[0]))


def odd_claims(moments: list[Moment], client: int) -> int:
    """How many of the claims in the log are none that a client with these memories would have made.

    A client asks before its round begins, and may have left the round before that when it sent its update, before it
    heard of its reward: any memory since the last visit but one will do.
    """
    odd, before, since = 0, [float("nan")], [float("nan")]
    for moment in moments:
        if moment.event["event"] == "round":
            claim = column(moment.event, "claims", client)
            could = [value for value in (*before, *since) if value == value]
            odd += isinstance(claim, float | int) and all(abs(claim - value) > NEAR for value in could)
            before, since = since, []
        since.append(moment.wish.claim)
    return odd


def _in_order_of_birth(arm: Arm) -> tuple[Path, ...]:
    """Every cohort; the order in which clients hear of them decides between equal rewards."""
    children = [sorted(map(path_of, split.get("children", ()))) for split in arm.splits]
    return tuple(dict.fromkeys([ROOT, *(path for paths in children for path in paths), *map(path_of, arm.names)]))


def _affinity(event: Event, client: int, leaves: tuple[Path, ...]) -> Feedback:
    """The message of a round to one participant, as the log has it."""
    facts: Mapping[str, Any] = {name: column(event, name, client) for name in ("rewards", "labels", "towards")}
    reward = np.nan if facts["rewards"] is None else float(facts["rewards"])
    cluster = UNKNOWN if facts["labels"] is None else int(facts["labels"])
    there = None if facts["towards"] is None else path_of(facts["towards"])
    towards = leaves.index(there) if there in leaves else UNKNOWN
    path = path_of(event["cohort"])
    return Feedback(path, np.array([client]), np.array([reward]), np.array([cluster]), leaves, np.array([towards]))


def _news(split: Event, client: int, leaves: tuple[Path, ...]) -> Feedback | None:
    """What a split told one of its known members."""
    child = next((name for name, ids in split.get("members", {}).items() if client in ids), None)
    if child is None:
        return None
    told = np.array([path_of(child)[-1]])
    nothing = np.array([UNKNOWN])
    return Feedback(path_of(split["cohort"]), np.array([client]), np.array([np.nan]), told, leaves, nothing, visit=0)


def _after(leaves: tuple[Path, ...], split: Event) -> tuple[Path, ...]:
    """The leaves after a split."""
    born = set(map(path_of, split.get("children", ())))
    return tuple(sorted((set(leaves) - {path_of(split["cohort"])}) | born))
