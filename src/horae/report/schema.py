"""What a run writes down, field by field, so that whoever reads it can rely on it.

Fields and events that are not named here are left alone: a later version may know more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_LARGEST = 1e100  # whatever is larger was not measured


@dataclass(frozen=True)
class Kind:
    """A kind of value: what to call it, and how to tell."""

    words: str
    holds: Callable[[Any], bool]


def maybe(kind: Kind) -> Kind:
    """The same, or null."""
    return Kind(f"{kind.words} or null", lambda value: value is None or kind.holds(value))


def many(kind: Kind) -> Kind:
    """A list of them."""
    return Kind(f"a list of: {kind.words}", lambda value: type(value) is list and all(map(kind.holds, value)))


def table(kind: Kind) -> Kind:
    """A table of them by name."""
    return Kind(f"a table of: {kind.words}", lambda value: type(value) is dict and all(map(kind.holds, value.values())))


def _number(value: Any) -> bool:
    return (type(value) is float or type(value) is int) and -_LARGEST < value < _LARGEST


def _clients(value: Any) -> bool:
    """Lists of ids are what logs are full of: without a call for each."""
    if type(value) is not list or not value:
        return type(value) is list
    return set(map(type, value)) == {int} and min(value) >= 0 and max(value) < 2**63


def _measured(value: Any) -> bool:
    """A list of numbers and nulls, also without a call for each."""
    if type(value) is not list or not set(map(type, value)) <= {float, int, type(None)}:
        return False
    told = [each for each in value if each is not None]
    return not told or (min(told) > -_LARGEST and max(told) < _LARGEST)


def _labels(value: Any) -> bool:
    if type(value) is not list or not set(map(type, value)) <= {int}:
        return False
    return not value or (min(value) >= -1 and max(value) < 2**63)


def _cohorts(value: Any) -> bool:
    return type(value) is dict and all(map(COHORT.holds, value))


def _size_and_accuracy(value: Any) -> bool:
    return type(value) is list and len(value) == 2 and COUNT.holds(value[0]) and maybe(SHARE).holds(value[1])


TEXT = Kind("a text", lambda value: type(value) is str)
FLAG = Kind("true or false", lambda value: type(value) is bool)
COUNT = Kind("a whole number from 0 on", lambda value: type(value) is int and 0 <= value < 2**63)
COUNTS = Kind("a list of whole numbers from 0 on", _clients)
GROUP = Kind("a group, or -1", lambda value: type(value) is int and -1 <= value < 2**63)
NUMBER = Kind("a number", _number)
AMOUNT = Kind("a number from 0 on", lambda value: _number(value) and value >= 0)
SHARE = Kind("a share between 0 and 1", lambda value: _number(value) and 0 <= value <= 1)
SECONDS = Kind("seconds", lambda value: _number(value) and 0 <= value < 1e15)
COHORT = Kind("a cohort's name", lambda value: type(value) is str and 0 < len(value) <= 200 and value.count(".") <= 50)
FACTS = Kind("a table", lambda value: type(value) is dict)

Fields = Mapping[str, Kind]
_PAIR = Kind("clients and their accuracy", _size_and_accuracy)
_SEEN = Kind("clients and their accuracy by cohort", lambda value: _cohorts(value) and table(_PAIR).holds(value))
_BORN = Kind("clients by cohort", lambda value: _cohorts(value) and table(COUNT).holds(value))
_MEASURED = Kind("a list of: a number or null", _measured)
_LABELS = Kind("a list of: a cluster, or -1", _labels)
_TRIED = Kind("a list of: a cohort's name or null", lambda value: many(maybe(COHORT)).holds(value))
_MEMBERS = Kind("ids by cohort", lambda value: _cohorts(value) and table(COUNTS).holds(value))
_WHERE = Kind("clients of each group by cohort, or null", lambda value: value is None or _counts(value))

_SUBMODEL = Kind("a submodel", lambda value: type(value) is dict and _submodel(value))
_LAYER = Kind("weights that live, and all", lambda value: COUNTS.holds(value) and len(value) == 2)
_COSTS = ("model", "model_new", "update", "flops", "sparse_flops", "units")
SUBMODEL: Fields = {
    "version": TEXT, "kept": COUNT, "params": COUNT, "layers": table(_LAYER), **dict.fromkeys(_COSTS, COUNT),
    "dense": table(COUNT),
}  # fmt: skip

NEEDED: Mapping[str, Fields] = {
    "run": {"name": TEXT, "horae": TEXT, "seed": COUNT, "clients": COUNT, "participants": COUNT},
    "score": {
        "at_s": SECONDS, "participations": COUNT, "nbytes": AMOUNT, "accuracy": maybe(SHARE), "worst10": maybe(SHARE),
        "best10": maybe(SHARE), "cohorts": _SEEN,
    },
    "round": {
        "cohort": COHORT, "number": COUNT, "started_s": SECONDS, "at_s": SECONDS, "clients": COUNTS,
        "invited": COUNT, "stragglers": COUNT, "dropouts": COUNT, "nbytes_up": AMOUNT, "nbytes_down": AMOUNT,
    },
    "verdict": {
        "cohort": COHORT, "round": COUNT, "at_s": SECONDS, "split": FLAG, "statistic": maybe(NUMBER),
        "threshold": maybe(NUMBER), "reason": TEXT,
    },
    "census": {
        "cohort": COHORT, "at_s": SECONDS, "what": TEXT, "window": COUNT, "counted": COUNT, "refused": COUNT,
        "age": COUNT, "moved": maybe(SHARE), "target": maybe(many(SHARE)),
    },
    "failure": {"cohort": COHORT, "number": COUNT, "at_s": SECONDS, "client": COUNT, "kind": TEXT, "why": TEXT},
    "masks": {"cohort": COHORT, "number": COUNT, "at_s": SECONDS, "submodels": many(_SUBMODEL)},
    "clients": {
        "ids": COUNTS, "cohorts": many(COHORT), "home": COUNTS, "accuracy": many(maybe(SHARE)),
        "visits": COUNTS, "group": many(GROUP),
    },
    "end": {"reason": TEXT, "ledger": table(table(AMOUNT))},
}  # fmt: skip
KNOWN: Mapping[str, Fields] = {
    "run": {
        "components": table(TEXT), "params": COUNT, "flops_per_sample": COUNT, "trainer": TEXT, "population": FACTS,
        "world": table(TEXT),
    },
    "score": {"variance": maybe(AMOUNT), "loss": maybe(NUMBER), "groups": _WHERE},
    "round": {
        "exploring": COUNT, "refused": COUNT, "loss": maybe(NUMBER), "flops": AMOUNT, "unused": COUNTS,
        "explorers": COUNTS, "claims": _MEASURED, "rewards": _MEASURED, "labels": _LABELS, "towards": _TRIED,
    },
    "verdict": {"children": _BORN, "members": _MEMBERS},
    "failure": {"aggregator": TEXT},
}  # fmt: skip
SUMMARY: Fields = {
    **dict.fromkeys(("accuracy", "accuracy_worst10", "accuracy_best10", "accuracy_seen"), maybe(SHARE)),
    **dict.fromkeys(("clients_seen", "cohorts", "rounds", "participations", "updates_refused"), COUNT),
    **dict.fromkeys(("bytes_up", "bytes_down", "flops", "train_wall_s", "run_wall_s"), AMOUNT),
    **dict.fromkeys(("simulated_s", "time_to_accuracy_s"), maybe(SECONDS)),
    **dict.fromkeys(("name", "clustering", "horae_version", "directory"), TEXT),
    **dict.fromkeys(("adjusted_rand_index", "gain"), maybe(NUMBER)),
    **dict.fromkeys(("accuracy_global", "top5", "f1", "precision", "recall"), maybe(SHARE)),
    **dict.fromkeys(("rmse", "perplexity"), maybe(AMOUNT)),
    "accuracy_variance": maybe(AMOUNT),
    "sparsity": maybe(SHARE),
    "sparse_flops": AMOUNT,
    "exploration": table(SHARE),
    "splits": many(TEXT),
    "seed": COUNT,
    "baseline": FACTS,
}


def fault_of_event(event: Any) -> str | None:
    """What is wrong with a line of events.jsonl, or None."""
    if type(event) is not dict or type(event.get("event")) is not str:
        return 'it should be a JSON object with a text "event"'
    kind = event["event"]
    needed = NEEDED.get(kind, {})
    if not needed.keys() <= event.keys():
        return f"event {kind} should have a field {next(name for name in needed if name not in event)}"
    fault = _fault(event, needed) or _fault(event, KNOWN.get(kind, {}))
    if fault or kind not in ("clients", "verdict", "run", "round"):
        return fault
    if kind == "round":
        return _fault_of_participants(event)
    if kind == "clients":
        return _fault_of_columns(event)
    if kind == "verdict":
        return "a split should have a field children" if event["split"] and "children" not in event else None
    return _fault(event.get("population", {}), {"groups": table(COUNT)})


def fault_of_summary(summary: Any) -> str | None:
    """What is wrong with the content of summary.json, or None."""
    if type(summary) is not dict:
        return "it should be a JSON object"
    return _fault(summary, SUMMARY) or _fault(summary.get("baseline", {}), SUMMARY)


def _fault(values: Mapping[str, Any], fields: Fields) -> str | None:
    """The first field that is there and is something else than it should be."""
    for name, kind in fields.items():
        if name in values and not kind.holds(values[name]):
            return f"{name} should be {kind.words}"
    return None


def _fault_of_columns(event: Mapping[str, Any]) -> str | None:
    lengths = {len(event[name]) for name in ("ids", "home", "accuracy", "visits", "group")}
    if len(lengths) > 1:
        return "ids, home, accuracy, visits and group should be equally long"
    inside = max(event["home"], default=-1) < len(event["cohorts"])
    return None if inside else "home should hold places in cohorts"


def _fault_of_participants(event: Mapping[str, Any]) -> str | None:
    """A column by participant that has another length."""
    columns = (name for name in ("claims", "rewards", "labels", "towards") if name in event)
    wrong = next((name for name in columns if len(event[name]) != len(event["clients"])), None)
    return f"{wrong} should be as long as clients" if wrong else None


def _submodel(value: dict[str, Any]) -> bool:
    """How many weights live is always told; what that costs, all of it or nothing."""
    all_or_none = {name in value for name in SUBMODEL if name not in ("version", "kept", "params")}
    told = {"version", "kept", "params"} <= value.keys() and len(all_or_none) == 1 and _fault(value, SUBMODEL) is None
    return told and ("dense" not in value or {"model", "update", "flops", "units"} <= value["dense"].keys())


def _counts(value: Any) -> bool:
    """By cohort, as many counts in each: one for each group."""
    return _cohorts(value) and all(map(COUNTS.holds, value.values())) and len(set(map(len, value.values()))) < 2
