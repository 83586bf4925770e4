"""FedScale's traces: two pickles, and hours of absence as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from horae.errors import brief
from horae.population.traces.phones import Phones
from horae.population.traces.sessions import Sessions
from horae.population.traces.wrong import Wrong
from horae.types import Doubles

START_S = 7200.0  # of the hours of absence: everybody begins within the first two hours


def pickled(found: Any, nbytes: int) -> Sessions | Phones:
    """client_behave_trace or client_device_capacity, by what is in it. nbytes: of the file, which bounds what it says.

    Errors: Wrong.
    """
    inner = next(iter(found.values()), None) if isinstance(found, Mapping) else None
    keys = set(inner) if isinstance(inner, Mapping) else set()
    if {"active", "inactive", "finish_time"} <= keys:
        return _behaviour(found, nbytes)
    if {"computation", "communication"} <= keys:
        return _capacity(found)
    raise Wrong(
        "the pickle should hold {client: {'active', 'inactive', 'finish_time'}} or {client: {'computation', "
        f"'communication'}}}}, got {brief(found, 60)}"
    )


def unavailable(found: Any) -> Sessions:
    """{"unavailable": {client: [[from_s, lasting_s], ...]}}: online is whoever is not away, from the third hour on.

    Source: FedScale's behaviour trace as others rescaled it to 48 hours; it ends with the last second that anybody
    is said to be away.
    """
    away = {name: pairs(name, rows) for name, rows in table(found, "unavailable").items()}
    last = max((float(rows.sum(axis=1).max()) for rows in away.values() if len(rows)), default=0.0)
    names, rows, start, end = list(away), [], [], []
    for i, (name, gone) in enumerate(away.items()):
        if (gone < 0).any() or (np.diff(gone[:, 0]) < gone[:-1, 1]).any():
            raise Wrong(
                f"client {name} should be away for [start, duration] in order, neither negative nor overlapping"
            )
        back, leaves = np.append(0.0, gone.sum(axis=1)), np.append(gone[:, 0], last)
        rows.append(np.full(back.size, i))
        start.append(back)
        end.append(np.maximum(leaves, back))
    whole = Sessions.of(names, np.concatenate(rows), np.concatenate(start), np.concatenate(end), last)
    return whole.cut(START_S, last) if last > 2 * START_S else whole


def table(found: Any, key: str) -> Mapping[str, Any]:
    """The clients under a key. Errors: Wrong if there are none."""
    inner = found.get(key) if isinstance(found, Mapping) else None
    if not isinstance(inner, Mapping) or not inner:
        raise Wrong(f"{key} should be a table of clients, got {brief(inner, 60)}")
    return inner


def pairs(name: object, rows: Any) -> Doubles:
    """One client's list of pairs of numbers as `(pairs, 2)`. Errors: Wrong."""
    try:
        found = np.asarray(rows, np.float64).reshape(-1, 2) if len(rows) else np.zeros((0, 2))
        if len(found) == len(rows) and np.isfinite(found).all():
            return found
    except (TypeError, ValueError, OverflowError):
        pass
    raise Wrong(f"client {brief(name, 40)} should have a list of pairs of numbers, got {brief(rows, 60)}")


def _behaviour(found: Mapping[Any, Any], nbytes: int) -> Sessions:
    """Session j is [active_j, inactive_j], modulo finish_time; a last one without an end lasts until then.

    Source: FedScale's client_behave_trace, as its simulator reads it.
    """
    names, rows, start, end, period = [], [], [], [], []
    most = nbytes
    for i, (name, entry) in enumerate(found.items()):
        on, off, last = (_field(name, entry, key) for key in ("active", "inactive", "finish_time"))
        if last.size != 1 or not 0 <= on.size - off.size <= 1:
            raise Wrong(f"client {brief(name, 40)} should have one finish_time, and as many inactive as active times")
        most -= on.size
        if most < 0:  # the same list, many times over
            raise Wrong("the pickle says more than it holds; do not trust it")
        names.append(str(name))
        rows.append(np.full(on.size, i))
        start.append(on)
        end.append(np.append(off, last) if off.size < on.size else off)
        period.append(float(last[0]))
    return Sessions.of(names, np.concatenate(rows), np.concatenate(start), np.concatenate(end), np.array(period))


def _capacity(found: Mapping[Any, Any]) -> Phones:
    """Source: FedScale's client_device_capacity: ms per sample and inference, kbit/s."""
    columns = []
    for key in ("computation", "communication"):
        values = [entry.get(key) if isinstance(entry, Mapping) else None for entry in found.values()]
        fine = (isinstance(value, int | float) and abs(value) < 1e300 for value in values)
        odd = next((i for i, so in enumerate(fine) if not so), None)
        if odd is not None:
            name = brief(list(found)[odd], 40)
            raise Wrong(f"client {name} should have a number for {key}, got {brief(values[odd], 60)}")
        columns.append(np.array(values, np.float64))
    return Phones.of([str(name) for name in found], *columns)


def _field(name: object, entry: Any, key: str) -> Doubles:
    """A client's numbers under a key, one or a list of them. Errors: Wrong."""
    value = entry.get(key) if isinstance(entry, Mapping) else None
    try:
        column = np.atleast_1d(np.asarray(value))
        if column.ndim == 1 and (column.dtype.kind in "iuf" or value == []):
            return column.astype(np.float64)
    except ValueError:  # lists of unequal length
        pass
    raise Wrong(f"client {brief(name, 40)} should have numbers for {key}, got {brief(value, 60)}")
