"""Questions to clients whose samples are elsewhere: a question for each site, and one answer out of theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from horae.engines.answering import Tallied
from horae.engines.scoring import Tallies, table_of
from horae.training.metrics import Tally
from horae.training.tasks import Task as Kind
from horae.types import (
    Doubles,
    Evaluate,
    Evaluation,
    Examine,
    Exploration,
    Explore,
    Ints,
    LabelCounts,
    Losses,
    Practice,
    Practise,
    Updates,
)

Arrays = Mapping[str, np.ndarray[Any, Any]]
MODELS = ("params", "buffers")


@dataclass(frozen=True)
class Asked:
    """One site's part of a question. rows: where its clients stand in the whole. models: what many sites are asked
    about alike, by name; work: the rest, with nothing in place of these.
    """

    site: int
    rows: Ints
    work: Any
    models: Arrays


Exchange = Callable[[Sequence[Asked]], Sequence[Arrays | None]]  # None where a site did not answer


class Far:
    """Clients at sites. exchange: sends and waits. owner: the site of each of some clients, `(q,)`."""

    def __init__(self, exchange: Exchange, owner: Callable[[Ints], Ints], task: Kind, classes: int) -> None:
        self._exchange, self._owner, self._task, self._classes = exchange, owner, task, classes

    def __call__(self, work: Any, at_s: float) -> Any:
        """Who does not answer has been tested on nothing, has no loss, no label and no update."""
        if isinstance(work, Examine):
            tallied = Tallied(work.clients, work.paths, work.params, work.buffers, work.home)
            found: Tallies = self(tallied, at_s)
            return table_of(found, work, self._task)
        parts = self._parts(work)
        answers = self._exchange(parts)
        found_ = [
            (part.rows, a) for part, a in zip(parts, answers, strict=True) if a is not None and fits(part.work, a)
        ]
        return gathered(work, found_, self._task, self._classes)

    def _parts(self, work: Any) -> list[Asked]:
        """By site; each is sent the models that its clients need."""
        owner = self._owner(work.clients)
        found = []
        for site in np.unique(owner).tolist():
            rows = np.flatnonzero(owner == site)
            mine = replace(work, clients=work.clients[rows])
            if isinstance(work, Evaluate):
                home = work.home[rows]
                leaves = np.arange(len(work.paths)) if isinstance(work, Tallied) else np.unique(home)
                chosen = {name: tuple(getattr(work, name)[i] for i in leaves.tolist()) for name in ("paths", *MODELS)}
                mine = replace(mine, home=np.searchsorted(leaves, home), **chosen)
            found.append(Asked(site, rows, *parted(mine)))
        return found


def parted(work: Any) -> tuple[Any, Arrays]:
    """The question without its models, and these by name."""
    if isinstance(work, LabelCounts):
        return work, {}
    if isinstance(work.params, tuple):
        named = {f"{name}/{i}": array for name in MODELS for i, array in enumerate(getattr(work, name))}
        return replace(work, params=(), buffers=()), named
    none = np.zeros(0, np.float32)
    return replace(work, params=none, buffers=none), {name: getattr(work, name) for name in MODELS}


def whole(work: Any, models: Arrays) -> Any:
    """The question with its models again."""
    if not models:
        return work
    if isinstance(work.params, tuple):
        count = len(models) // len(MODELS)
        return replace(work, **{name: tuple(models[f"{name}/{i}"] for i in range(count)) for name in MODELS})
    return replace(work, **{name: models[name] for name in MODELS})


def said(found: Any) -> dict[str, np.ndarray[Any, Any]]:
    """An answer as arrays by name."""
    if isinstance(found, dict):
        return found
    if isinstance(found, np.ndarray):
        return {"rows": found}
    if isinstance(found, Evaluation):
        return {"correct": found.correct, "tested": found.tested, "losses": found.losses}
    if isinstance(found, Practice):
        return {
            "clients": found.clients,
            "updates": found.updates.rows,
            "samples": found.samples,
            "losses": found.losses,
        }
    if isinstance(found, Tallies):
        tally = found.tally
        sums = np.array([tally.asked, tally.right, tally.top, tally.loss], np.float64)
        return {"sums": sums, "labels": np.stack([tally.actual, tally.guessed, tally.hits]), "right": found.right,
                "tested": found.tested}  # fmt: skip
    exploration, samples = found
    names = ("clients", "steps", "losses")
    squares = {} if exploration.squares is None else {"squares": exploration.squares}
    return {
        **{name: getattr(exploration, name) for name in names}, "samples": samples, "lr": np.array([exploration.lr]),
        **{f"sums/{name}": total for name, total in exploration.sums.items()}, **squares,
    }  # fmt: skip


def fits(work: Any, answer: Arrays) -> bool:
    """Whether an answer has a row for every client that was asked, where it should."""
    n = work.clients.size
    if isinstance(work, Tallied):
        return {"sums", "labels", "right", "tested"} <= set(answer) and answer["right"].ndim == 1
    names = ("rows",) if isinstance(work, Losses | LabelCounts) else ("losses",)
    if isinstance(work, Explore):
        return all(f"sums/{name}" in answer for name in work.sums) and answer.get("samples", np.zeros(0)).size == n
    return all(name in answer and len(answer[name]) == n for name in names)


def gathered(work: Any, answers: Sequence[tuple[Ints, Arrays]], task: Kind, classes: int) -> Any:
    """One answer out of the sites'. answers: where their clients stand in the whole, and what they said."""
    n = work.clients.size
    if isinstance(work, Tallied):
        return _tallies(work, [a for _, a in answers], task, classes)
    if isinstance(work, Evaluate):
        return Evaluation(*(_placed(answers, name, np.zeros(n, kind)) for name, kind in
                            (("correct", np.int64), ("tested", np.int64), ("losses", np.float64))))  # fmt: skip
    if isinstance(work, Losses):
        losses: Doubles = _placed(answers, "rows", np.full((n, len(work.params)), np.inf))
        return losses
    if isinstance(work, LabelCounts):
        return _placed(answers, "rows", np.zeros((n, classes), np.int64))
    if isinstance(work, Practise):
        return _practice(work, answers)
    return _exploration(work, answers)


def _placed(answers: Sequence[tuple[Ints, Arrays]], name: str, out: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    for rows, answer in answers:
        out[rows] = answer[name]
    return out


def _practice(work: Practise, answers: Sequence[tuple[Ints, Arrays]]) -> Practice:
    """In the order in which they were asked."""
    assert work.clients is not None
    rows = np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in answers)])
    order = np.argsort(rows, kind="stable")
    none = {
        "updates": np.zeros((0, work.params.size), np.float32),
        "samples": np.zeros(0, np.int64),
        "losses": np.zeros(0),
    }
    columns = {name: np.concatenate([first, *(a[name] for _, a in answers)])[order] for name, first in none.items()}
    return Practice(work.clients[rows[order]], Updates(columns["updates"]), columns["samples"], columns["losses"])


def _exploration(work: Explore, answers: Sequence[tuple[Ints, Arrays]]) -> tuple[Exploration, Ints]:
    """Sums are added up in the order of the sites' first clients, which is that of the ids."""
    assert work.clients is not None
    told = sorted(answers, key=lambda pair: int(work.clients[pair[0]].min()) if work.clients is not None else 0)
    names = ("clients", "steps", "losses", "samples")
    none = {"losses": np.zeros(0)}
    columns = {
        name: np.concatenate([none.get(name, np.zeros(0, np.int64)), *(a[name] for _, a in told)]) for name in names
    }
    sums: dict[str, Doubles] = {str(name): np.zeros(work.params.size) for name in work.sums}
    for _, answer in told:
        for name, total in sums.items():
            total += answer[f"sums/{name}"]
    squares = (
        np.concatenate([np.zeros((0, work.params.size), np.float32), *(a["squares"] for _, a in told)])
        if work.each
        else None
    )
    lr = next((float(a["lr"][0]) for _, a in told), work.lr)
    found = Exploration(columns["clients"], sums, columns["steps"], columns["losses"], lr, squares)
    return found, columns["samples"]


def _tallies(work: Tallied, answers: Sequence[Arrays], task: Kind, classes: int) -> Tallies:
    tally, right, tested = Tally(task, classes), np.zeros(len(work.paths), np.int64), 0
    for answer in answers:
        asked, hits, top, loss = answer["sums"].tolist()
        tally.asked, tally.right, tally.top = tally.asked + int(asked), tally.right + int(hits), tally.top + int(top)
        tally.loss += loss
        for own, more in zip((tally.actual, tally.guessed, tally.hits), answer["labels"], strict=True):
            own += more
        right += answer["right"]
        tested += int(answer["tested"])
    return Tallies(tally, right, np.array(tested))
