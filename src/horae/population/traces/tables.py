"""Our own format: one row per session or device, as CSV, JSON or Parquet; and AI-Benchmark's CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from horae.errors import ConfigError, DataError, brief, one_line
from horae.files import write_whole
from horae.population.traces.flash import scored
from horae.population.traces.phones import Phones
from horae.population.traces.sessions import TICKS, Sessions
from horae.population.traces.wrong import Wrong
from horae.types import Doubles

DAY_S = 86_400.0
HOURS, DEVICES = ("client", "start_s", "end_s"), ("client", "ms_per_sample", "kbps")
ENDINGS = (".csv", ".json", ".parquet")
NEEDED = f"columns {', '.join(HOURS)} (and period_s) or {', '.join(DEVICES)}"
Columns = Mapping[str, Sequence[Any]]


def trace_of(columns: Columns) -> Sessions | Phones:
    """The trace in these columns; others are ignored. Errors: Wrong."""
    lengths = {len(column) for column in columns.values()}
    if set(HOURS) <= set(columns) and len(lengths) == 1:
        return _sessions(columns)
    if set(DEVICES) <= set(columns) and len(lengths) == 1:
        names = _names(columns["client"])
        if len(set(names)) < len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise Wrong(f"devices should have one row for each client, but {twice} has two")
        return Phones.of(names, *(_numbers(columns, key, names) for key in DEVICES[1:]))
    raise Wrong(f"the trace should have {NEEDED}, as long as each other, got {one_line(', '.join(columns), 80)}")


def csv_trace(text: str) -> Sessions | Phones:
    """The trace in a CSV with a header row: ours, or AI-Benchmark's list of processors. Errors: Wrong."""
    try:
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (csv.Error, ValueError) as error:
        raise Wrong(f"it is no CSV ({one_line(error, 80)}); {NEEDED} are needed") from None
    rows = [row for row in rows if any(row)]
    short = next((i for i, row in enumerate(rows) if len(row) != len(header)), None)
    if short is not None:
        raise Wrong(f"row {short + 1} should have {len(header)} cells as the header has, got {len(rows[short])}")
    columns = {name.strip(): [row[i] for row in rows] for i, name in enumerate(header)}
    if {"Processor", "AI Score"} <= set(columns):
        both = zip(columns["Processor"], columns["AI Score"], strict=True)
        listed = {f"{i} {name}": score for i, (name, score) in enumerate(both) if score}
        return scored(dict(zip(listed, _floats(list(listed.values()), "AI Score", list(listed)), strict=True)))
    return trace_of(columns)


def parquet_trace(file: Path) -> Sessions | Phones:
    """The trace in a Parquet file. Errors: Wrong; DataError without pyarrow."""
    parquet = _pyarrow(f"reading {file}")
    try:
        table = parquet.read_table(file)
        columns = {str(name): table.column(name).to_pylist() for name in table.column_names}
    except Exception as error:  # pyarrow has a dozen words for a broken one
        raise Wrong(f"it is broken Parquet ({one_line(error, 80)}); {NEEDED} are needed") from None
    return trace_of(columns)


def columns_of(trace: Sessions | Phones) -> dict[str, list[Any]]:
    """The trace in our columns. A client who is never there has a session of no length; periods are told where they
    are not what a reader would take.
    """
    if isinstance(trace, Phones):
        return {"client": list(trace.names), **{k: getattr(trace, k).tolist() for k in DEVICES[1:]}}
    never = np.setdiff1d(np.arange(trace.clients), trace.rows)
    rows = np.concatenate([trace.rows, never])
    order = np.argsort(rows, kind="stable")
    none, period_s = np.zeros(never.size), trace.period / TICKS
    start, end = (np.concatenate([column / TICKS, none])[order] for column in (trace.start, trace.end))
    columns = {"client": [trace.names[i] for i in rows[order]], "start_s": start.tolist(), "end_s": end.tolist()}
    if (period_s != _whole_days(end)).any():
        columns["period_s"] = period_s[rows[order]].tolist()
    return columns


def write_trace(trace: Sessions | Phones, file: Path) -> None:
    """Write it in our format, by the ending of the name. Errors: ConfigError (another ending), RunError, DataError."""
    columns = columns_of(trace)
    if file.suffix == ".csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        write_whole(file, out.getvalue())
    elif file.suffix == ".json":
        write_whole(file, json.dumps(columns) + "\n")
    elif file.suffix == ".parquet":
        _write_parquet(columns, file)
    else:
        raise ConfigError(f"--out should end in {', '.join(ENDINGS)}, got {brief(file.name)}")


def _write_parquet(columns: Mapping[str, Any], file: Path) -> None:
    parquet, data = _pyarrow(f"writing {file}"), io.BytesIO()
    parquet.write_table(import_module("pyarrow").table(dict(columns)), data)
    write_whole(file, data.getvalue())


def _pyarrow(what: str) -> Any:
    try:
        return import_module("pyarrow.parquet")
    except ImportError:
        raise DataError(f"{what} needs pyarrow; pip install 'horae[parquet]', or use CSV or JSON") from None


def _sessions(columns: Columns) -> Sessions:
    named = _names(columns["client"])
    names = list(dict.fromkeys(named))
    place = {name: i for i, name in enumerate(names)}
    rows = np.array([place[name] for name in named], np.int64)
    start, end = (_numbers(columns, key, named) for key in HOURS[1:])
    period = np.full(len(names), _whole_days(end))
    if "period_s" in columns:
        said = _numbers(columns, "period_s", named)
        period[rows] = said
        odd = np.flatnonzero(period[rows] != said)
        if odd.size:
            raise Wrong(f"period_s should be one number for each client, but {named[odd[0]]} has several")
    return Sessions.of(names, rows, start, end, period)


def _whole_days(end_s: Doubles) -> float:
    """The period of a trace that does not tell it: whole days, so that mornings stay mornings."""
    known = end_s[np.isfinite(end_s)]
    return max(1.0, float(np.ceil(known.max(initial=0.0) / DAY_S))) * DAY_S


def _names(column: Sequence[Any]) -> list[str]:
    names = ["" if name is None else str(name).strip() for name in column]
    if "" in names:
        raise Wrong(f"every row should name its client, but row {names.index('') + 1} does not")
    return names


def _numbers(columns: Columns, key: str, names: Sequence[str]) -> Doubles:
    return _floats(columns[key], key, names)


def _floats(column: Sequence[Any], key: str, names: Sequence[str]) -> Doubles:
    """A column as numbers. Errors: Wrong, which names the client."""
    try:
        found = np.array(column, np.float64)
    except (TypeError, ValueError, OverflowError):
        found = np.array([_float(value) for value in column])
    odd = np.flatnonzero(~np.isfinite(found) | np.array([type(value) is bool for value in column], np.bool_))
    if odd.size:
        name, value = names[odd[0]], column[odd[0]]
        raise Wrong(f"{key} should be a finite number, but client {name} has {brief(value, 40)}")
    return found


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")
