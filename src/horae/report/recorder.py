"""events.jsonl: one line per event, appended as it happens. Everything else about a run is derived from it.

run      what was started
round    a cohort's round: who took part, when, what it cost
masks    the weights that a cohort's clients train, where they are others than in its last round or its parent's
verdict  a cohort looked at itself: split or not, with the statistic, its threshold and the reason
score    test accuracy of the clients on the way
metrics  at the end: what else is known of the models
clients  every client's last score: leaf, accuracy, times it took part, planted group
end      why it ended, and the ledger
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path as File
from types import TracebackType
from typing import Any, Self

import numpy as np

from horae.errors import RunError
from horae.files import unwritable
from horae.ledger import Ledger
from horae.observers import Score
from horae.population import Population
from horae.report.log import read_events
from horae.report.masks import Masks, last_of
from horae.report.participants import by_client
from horae.types import CohortTree, Feedback, Ints, Outcome, Path, Split, Verdict


def label(path: Path) -> str:
    """A cohort's name for people, as in Auxo's Figure 7: the root is 0, its second child 0.1.

    >>> label(()), label((0, 1))
    ('0', '0.0.1')
    """
    return ".".join(map(str, (0, *path)))


class EventLog:
    """Writes the events of one run, and keeps what the summary needs of them.

    Whatever it keeps follows from the lines alone, so that a log can be cut back to where a checkpoint was made, read
    again, and gone on with. scores: the score events. last: the last score in full. visits: times each client took
    part, of those that did. rounds, refused, splits: as in the summary. masks: each cohort's last event of its masks.
    """

    def __init__(self, file: File, people: Population, masks: Masks | None = None) -> None:
        """people: for their planted groups. masks: tells of submodels. What the file holds stays until `restore`."""
        self._file, self._groups, self._planted, self._say = file, people.groups, people.planted, masks or Masks()
        self._forget()
        try:
            self._out = file.open("ab")
        except OSError as error:
            raise unwritable(file, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # every event was flushed: what is left here has been complained about
            self._out.close()

    def snapshot(self) -> tuple[int, int]:
        """How long the log is, and its checksum: the rest is in the lines."""
        return self._nbytes, self._crc

    def restore(self, state: tuple[int, int] = (0, 0)) -> None:
        """Cut the log back to this length, and read what is left again. Errors: RunError if it is another log."""
        lines = self._lines(state)
        try:
            self._out.truncate(state[0])
        except OSError as error:
            raise unwritable(self._file, error) from None
        self._forget()
        self._nbytes, self._crc = state
        for line in lines:
            self._note(json.loads(line))

    def check(self, state: tuple[int, int]) -> None:
        """Refuse a state that is not a beginning of this log. Errors: RunError."""
        self._lines(state)

    def _lines(self, state: tuple[int, int]) -> list[bytes]:
        """The lines up to this length. Errors: RunError if the file is shorter or other ones are in it."""
        with self._file.open("rb") as file:
            data = file.read(state[0])
        if (len(data), zlib.crc32(data)) != state:
            raise RunError(f"{self._file} was changed or cut short since the checkpoint")
        return data.splitlines()

    def write(self, event: str, **fields: Any) -> None:
        """One event. NaN becomes null."""
        table = {"event": event, **_clean(fields)}
        line = (json.dumps(table, separators=(",", ":"), allow_nan=False) + "\n").encode()
        try:
            self._out.write(line)
            self._out.flush()
        except OSError as error:
            raise unwritable(self._file, error) from None
        self._nbytes, self._crc = self._nbytes + len(line), zlib.crc32(line, self._crc)
        self._note(table)

    def _forget(self) -> None:
        self._nbytes = self._crc = 0
        self.scores: list[dict[str, Any]] = []
        self.last: Score | None = None
        self.visits: Counter[int] = Counter()
        self.rounds = self.refused = 0
        self.splits: list[dict[str, Any]] = []
        self.metrics: dict[str, float] = {}
        self.masks: dict[str, dict[str, Any]] = {}
        self.censuses: list[dict[str, Any]] = []

    def _note(self, event: dict[str, Any]) -> None:
        """What the summary will want to know of an event."""
        if event["event"] == "score":
            self.scores.append(event)
        elif event["event"] == "metrics":
            self.metrics = {name: value for name, value in event.items() if name != "event"}
        elif event["event"] == "verdict" and event["split"]:
            self.splits.append(event)
        elif event["event"] == "census":
            self.censuses.append(event)
        elif event["event"] == "masks":
            self.masks[event["cohort"]] = event
        elif event["event"] == "round":
            self.rounds += bool(event["clients"])
            self.visits.update(event["clients"])
            self.refused += event["refused"]

    def round(self, outcome: Outcome, tree: CohortTree, verdicts: Sequence[Verdict], feedback: Feedback | None) -> None:
        """A round, what its cohort told the participants, and what it decided."""
        self.write(
            "round",
            cohort=label(outcome.round.path),
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
            **by_client(outcome, feedback, label),
        )
        self._masks(outcome)
        for news in outcome.news:
            self.write(**{**news, "cohort": label(news["cohort"]), "at_s": round(outcome.at_s, 6)})
        for v in verdicts:
            facts = {
                "cohort": label(v.path), "round": outcome.round.number + 1, "at_s": round(outcome.at_s, 6),
                "split": isinstance(v, Split), "statistic": v.statistic, "threshold": v.threshold, "reason": v.reason,
            }  # fmt: skip
            if isinstance(v, Split):
                sizes = np.bincount(v.cluster, minlength=v.k).tolist()
                facts["children"] = {label((*v.path, i)): n for i, n in enumerate(sizes)}
                facts["members"] = {label((*v.path, i)): v.clients[v.cluster == i].tolist() for i in range(v.k)}
            self.write("verdict", **facts)

    def _masks(self, outcome: Outcome) -> None:
        """The submodels of a round, if the cohort's last ones were others."""
        cohort, held = label(outcome.round.path), outcome.round.held
        if held is None or not outcome.clients.size:
            return
        was = [one for event in last_of(self.masks, [cohort]) for one in event["submodels"]]
        if {submodel.version.hex()[:8] for submodel in held.submodels} != {one["version"] for one in was}:
            told = self._say.of(held)
            at_s = round(outcome.at_s, 6)
            self.write("masks", cohort=cohort, number=outcome.round.number, at_s=at_s, submodels=told)

    def score(self, score: Score) -> None:
        """Test accuracy on the way."""
        self.last = score
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
        groups, planted = self._groups[score.clients], self._planted
        if not planted.size:
            return None
        homes = ((label(path), groups[score.home == i]) for i, path in enumerate(score.leaves))
        return {name: [int((mine == group).sum()) for group in planted] for name, mine in homes}

    def visits_of(self, clients: Ints) -> Ints:
        """How often these clients took part, `(q,)`."""
        return np.array([self.visits[c] for c in clients.tolist()], np.int64)

    def end(self, ledger: Ledger, reason: str) -> None:
        """Every client's last score, and the ledger."""
        last = self.last
        assert last is not None  # every run ends with a score
        self.write(
            "clients",
            ids=last.clients.tolist(),
            cohorts=[label(path) for path in last.leaves],
            home=last.home.tolist(),
            accuracy=[round(a, 6) if a == a else None for a in last.accuracy.tolist()],
            visits=self.visits_of(last.clients).tolist(),
            group=self._groups[last.clients].tolist(),
        )
        self.write("end", reason=reason, ledger=ledger.table())


def read(file: File) -> list[dict[str, Any]]:
    """All events of a log. Errors: RunError for a missing or broken one."""
    return read_events(file)


def _clean(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
