"""events.jsonl: one line per event, appended as it happens. Everything else about a run is derived from it.

run      what was started
round    a cohort's round: who took part, when, what it cost
verdict  a cohort looked at itself: split or not, with the statistic, its threshold and the reason
score    test accuracy of the clients on the way
clients  every client's last score: leaf, accuracy, times it took part, planted group
end      why it ended, and the ledger
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path as File
from types import TracebackType
from typing import Any, Self

import numpy as np

from horae.errors import RunError
from horae.ledger import Ledger
from horae.observers import Score
from horae.types import CohortTree, Ints, Outcome, Path, Split, Verdict


def label(path: Path) -> str:
    """A cohort's name for people, as in Auxo's Figure 7: the root is 0, its second child 0.1.

    >>> label(()), label((0, 1))
    ('0', '0.0.1')
    """
    return ".".join(map(str, (0, *path)))


class EventLog:
    """Writes the events of one run; keeps the scores and who took part, for the summary."""

    def __init__(self, file: File, groups: Ints) -> None:
        """groups `(clients,)`: planted groups or UNKNOWN."""
        self._groups = groups
        self.scores: list[Score] = []
        self.visits = np.zeros(groups.size, np.int64)
        self.rounds = self.refused = 0
        self.splits: list[dict[str, Any]] = []
        try:
            self._out = file.open("w", encoding="utf-8")
        except OSError as error:
            raise RunError(f"cannot write {file}: {error.strerror}; choose another --out") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.close()

    def write(self, event: str, **fields: Any) -> None:
        """One event. NaN becomes null."""
        self._out.write(json.dumps({"event": event, **_clean(fields)}, separators=(",", ":"), allow_nan=False) + "\n")
        self._out.flush()

    def round(self, outcome: Outcome, tree: CohortTree, verdicts: Sequence[Verdict]) -> None:
        """A round and what its cohort decided."""
        cohort = label(outcome.round.path)
        self.refused += outcome.refused
        if not outcome.empty:
            self.rounds += 1
            self.visits[outcome.clients] += 1
        self.write(
            "round",
            cohort=cohort,
            number=outcome.round.number,
            started_s=round(outcome.started_s, 6),
            at_s=round(outcome.at_s, 6),
            clients=outcome.clients.tolist(),
            exploring=int(outcome.exploring.sum()),
            invited=int(outcome.round.invited.size),
            stragglers=outcome.stragglers,
            dropouts=outcome.dropouts,
            refused=outcome.refused,
            loss=float(outcome.losses.mean()) if outcome.losses.size else None,
            nbytes_up=sum(c.nbytes_up for c in outcome.charges),
            nbytes_down=sum(c.nbytes_down for c in outcome.charges),
            flops=sum(c.flops for c in outcome.charges),
        )
        for v in verdicts:
            facts = {
                "cohort": label(v.path), "round": outcome.round.number + 1, "at_s": round(outcome.at_s, 6),
                "split": isinstance(v, Split), "statistic": v.statistic, "threshold": v.threshold, "reason": v.reason,
            }  # fmt: skip
            if isinstance(v, Split):
                sizes = np.bincount(v.cluster, minlength=v.k).tolist()
                facts["children"] = {label((*v.path, i)): n for i, n in enumerate(sizes)}
                self.splits.append(facts)
            self.write("verdict", **facts)

    def score(self, score: Score) -> None:
        """Test accuracy on the way."""
        self.scores.append(score)
        worst, best = score.tails
        self.write(
            "score",
            at_s=round(score.at_s, 6),
            participations=score.participations,
            nbytes=score.nbytes,
            accuracy=score.mean,
            worst10=worst,
            best10=best,
            variance=float(score.scored.var()) if score.scored.size else None,
            loss=score.loss,
            cohorts={label(path): [n, accuracy] for path, (n, accuracy) in score.by_leaf.items()},
            groups=self._whereabouts(score),
        )

    def _whereabouts(self, score: Score) -> dict[str, list[int]] | None:
        """How many of the scored clients of each planted group are at home in each leaf."""
        groups = self._groups[score.clients]
        planted = np.unique(self._groups[self._groups >= 0])
        if not planted.size:
            return None
        homes = ((label(path), groups[score.home == i]) for i, path in enumerate(score.leaves))
        return {name: [int((mine == group).sum()) for group in planted] for name, mine in homes}

    def end(self, ledger: Ledger, reason: str) -> None:
        """Every client's last score, and the ledger."""
        last = self.scores[-1]
        self.write(
            "clients",
            ids=last.clients.tolist(),
            cohorts=[label(path) for path in last.leaves],
            home=last.home.tolist(),
            accuracy=[round(a, 6) if a == a else None for a in last.accuracy.tolist()],
            visits=self.visits[last.clients].tolist(),
            group=self._groups[last.clients].tolist(),
        )
        self.write("end", reason=reason, ledger=ledger.table())


def read(file: File) -> list[dict[str, Any]]:
    """All events of a log. Errors: RunError for a missing or broken one."""
    try:
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        raise RunError(f"there is no {file}; is this a run directory?") from None
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {file}: {error}") from None


def _clean(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
