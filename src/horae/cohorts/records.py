"""Affinity records and messages as values: making, joining and checking them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from horae.errors import ConfigError, brief, require
from horae.types import UNKNOWN, Doubles, Feedback, Floats, Ints, Path, Records, Updates

DEEPEST = 64  # no tree of cohorts is deeper


def blank(clients: Any) -> Records:
    """The records of clients that remember nothing."""
    ids = client_ids(clients, "clients")
    return recall(ids, [])


def recall(clients: Ints, parts: Sequence[Records], paths: Iterable[Path] = ()) -> Records:
    """The records of these clients, found in `parts` (the last one counts), blank where there is none.

    There is a column for every cohort that a part or `paths` names, in that order.
    """
    named = [path for part in parts for path in part.paths]
    column = {path: i for i, path in enumerate(dict.fromkeys([*named, *paths]))}
    row, shape = {client: i for i, client in enumerate(clients.tolist())}, (clients.size, len(column))
    found = Records(
        clients, tuple(column), np.zeros(shape), np.full(shape, UNKNOWN), np.zeros(shape, np.int64),
        np.zeros(shape, bool), np.full(clients.size, UNKNOWN),
    )  # fmt: skip
    for part in parts:
        wide = np.array([column[path] for path in part.paths], np.int64)
        pairs = [(row[client], i) for i, client in enumerate(part.clients.tolist()) if client in row]
        if not pairs:
            continue
        to, of = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
        here = np.ix_(to, wide)
        found.reward[here], found.cluster[here] = part.reward[of], part.cluster[of]
        found.visits[here], found.heard[here] = part.visits[of], part.heard[of]
        found.group[to] = part.group[of]
    return found


def prefixes(message: Feedback) -> tuple[Path, ...]:
    """Every cohort that a message names, and its ancestors."""
    named = (message.path, *message.leaves)
    return tuple(dict.fromkeys(path[:depth] for path in named for depth in range(len(path) + 1)))


def fresh(records: Records, message: Feedback) -> Feedback:
    """The message without cluster indices for clients that know more: they heard that the cohort has split since.

    A cluster index from before a split would name the wrong child. records: of `message.clients`, in their order.
    """
    children = [i for i, path in enumerate(records.paths) if path and path[:-1] == message.path]
    stale = records.heard[:, children].any(axis=1) & (message.path in message.leaves)
    return replace(message, cluster=np.where(stale, UNKNOWN, message.cluster))


def client_ids(clients: Any, field: str) -> Ints:
    """Distinct client ids, whole numbers >= 0, as `(n,)`."""
    try:
        ids = np.asarray(clients)
    except (ValueError, TypeError):
        raise ConfigError(f"{field} should be a list of client ids, got {brief(clients)}") from None
    if ids.shape == (0,):
        return np.zeros(0, np.int64)
    require(ids.ndim == 1 and ids.dtype.kind in "iu", field, "be a list of whole numbers, one per client", clients)
    wrong = ids[(ids < 0) | (ids > np.iinfo(np.int64).max)]
    require(not wrong.size, field, "hold client ids >= 0 and < 2^63", wrong[:1].tolist())
    if (np.diff(ids) > 0).all():
        return ids.astype(np.int64)
    values, counts = np.unique(ids, return_counts=True)
    require(counts.max() == 1, field, "name each client once", values[counts > 1][:3].tolist(), "leave the second out")
    return ids.astype(np.int64)


def vector(value: Any, field: str, size: int | None = None) -> Floats:
    """A flat model as float32, a copy; all numbers finite."""
    array = _numbers(value, field)
    shape = f"({'params' if size is None else size},)"
    require(array.ndim == 1 and array.size in ({array.size} if size is None else {size}), field,
            f"have shape {shape}, all parameters in one row", array.shape)  # fmt: skip
    require(array.size > 0, field, "have at least one parameter", array.shape)
    require(bool(np.isfinite(array).all()), field, "be finite", float(array[~np.isfinite(array)][:1].sum()))
    return array


def update_rows(value: Any, clients: Ints, size: int) -> Floats:
    """A round's updates as float32 `(clients, params)`, a copy; all numbers finite."""
    rows = _numbers(value, "updates")
    if not clients.size and rows.size == 0:
        return np.zeros((0, size), np.float32)
    shape = (clients.size, size)
    require(rows.shape == shape, "updates", f"have shape (clients, params) = {shape}", rows.shape)
    bad = clients[~np.isfinite(Updates(rows).norms())]
    if bad.size:
        raise ConfigError(f"updates should be finite and not absurdly large, got one that is not; "
                          f"leave out client {', '.join(map(str, bad[:3].tolist()))}")  # fmt: skip
    return rows


def checked_records(records: Records) -> Records:
    """The same, if these can be records: finite rewards, visits >= 0, known paths, a row per client."""
    require(isinstance(records, Records), "records", "be Records, as blank(clients) makes them", records)
    ids = client_ids(records.clients, "records.clients")
    _check_paths(records.paths, "records.paths")
    shape = (ids.size, len(records.paths))
    for name, kind in (("reward", "f"), ("cluster", "i"), ("visits", "i"), ("heard", "b")):
        array = getattr(records, name)
        good = isinstance(array, np.ndarray) and array.shape == shape and array.dtype.kind == kind
        require(good, f"records.{name}", f"be an array of shape {shape}", array)
    require(bool(np.isfinite(records.reward).all()), "records.reward", "be finite", records.reward)
    require(bool((records.visits >= 0).all()), "records.visits", "be >= 0", records.visits)
    group = records.group
    require(isinstance(group, np.ndarray) and group.shape == ids.shape, "records.group", f"be {ids.shape}", group)
    return records


def checked_message(message: Feedback) -> Feedback:
    """The same, if this can be an affinity message: rewards at most 1 or unknown, leaves that make a tree."""
    require(isinstance(message, Feedback), "message", "be a Feedback, as learn() gives them", message)
    ids = client_ids(message.clients, "message.clients")
    _check_paths((message.path,), "message.path")
    _check_paths(message.leaves, "message.leaves")
    reward: Doubles = np.asarray(message.reward)
    for name in ("reward", "cluster", "towards"):
        array = getattr(message, name)
        good = isinstance(array, np.ndarray) and array.shape == ids.shape
        require(good, f"message.{name}", f"be an array of shape {ids.shape}", array)
    good = np.isnan(reward) | (np.isfinite(reward) & (reward <= 1.0))
    require(bool(good.all()), "message.reward", "be at most 1, or nan for none", reward)
    require(bool((message.cluster >= UNKNOWN).all()), "message.cluster", f"be >= {UNKNOWN}", message.cluster)
    inside = (message.towards >= UNKNOWN) & (message.towards < len(message.leaves))
    require(bool(inside.all()), "message.towards", "be an index into message.leaves or -1", message.towards)
    require(message.visit in (0, 1), "message.visit", "be 0 or 1", message.visit)
    return message


def _numbers(value: Any, field: str) -> Floats:
    try:
        with np.errstate(over="ignore"):
            return np.array(value, np.float32)
    except (ValueError, TypeError, OverflowError):
        raise ConfigError(f"{field} should be an array of numbers, got {brief(value)}") from None


def _check_paths(paths: Any, field: str) -> None:
    good = isinstance(paths, tuple) and all(
        isinstance(path, tuple) and len(path) <= DEEPEST and all(type(step) is int and step >= 0 for step in path)
        for path in paths
    )
    require(good and len(set(paths)) == len(paths), field, "be distinct paths such as () and (0, 1)", paths)
