"""Who adds up whose updates: a tree of a leader, aggregators and workers, read from YAML.

One entry per node, `name: {kind: leader | aggregator | worker, children: [names]}`; or `aggregators: 4` alone, for a
leader over so many aggregators of one worker each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from horae.errors import ConfigError, brief, did_you_mean, one_line, require
from horae.files import read_yaml

LEADER, AGGREGATOR, WORKER = KINDS = ("leader", "aggregator", "worker")
FIELDS = ("kind", "children")
MOST = 1024  # aggregators of the short form


@dataclass(frozen=True)
class Topology:
    """A tree. children: of each node, in the file's order. workers: the leaves, in the file's order."""

    leader: str
    children: Mapping[str, tuple[str, ...]]
    workers: tuple[str, ...]

    @cached_property
    def parent(self) -> dict[str, str]:
        """Who each node reports to."""
        return {child: name for name, children in self.children.items() for child in children}

    @cached_property
    def levels(self) -> tuple[tuple[str, ...], ...]:
        """The aggregators, the deepest first: those of one level need nothing of each other."""
        levels, level, leaves = [], self.children[self.leader], set(self.workers)
        while inner := tuple(name for name in level if name not in leaves):
            levels.append(inner)
            level = tuple(child for name in inner for child in self.children[name])
        return tuple(reversed(levels))

    def reports_to(self, client: int) -> str:
        """Who adds up a client's updates: client i is worker i modulo the number of workers."""
        return self.parent[self.workers[client % len(self.workers)]]


def read_topology(file: Path) -> Topology:
    """The tree of a file. Errors: ConfigError where it is none, DataError where it cannot be read."""
    held, where = read_yaml(file, "site.topology names a YAML file"), one_line(file, 80)
    if not isinstance(held, dict) or not held:
        raise ConfigError(f"{where} should name nodes, each with a kind and children; or say aggregators: 4")
    if list(held) == ["aggregators"] and not isinstance(held["aggregators"], Mapping):
        return balanced(held["aggregators"], where)
    nodes = {str(name): fields for name, fields in held.items()}
    kinds = {name: _kind(f"{where}: {one_line(name, 60)}", fields) for name, fields in nodes.items()}
    children = {name: _children(where, name, kinds, nodes[name].get("children")) for name in nodes}
    leaders = [name for name, kind in kinds.items() if kind == LEADER]
    require(len(leaders) == 1, where, "have one leader", len(leaders), "set kind: leader in one entry")
    _tree(where, leaders[0], children)
    return Topology(leaders[0], children, tuple(name for name, kind in kinds.items() if kind == WORKER))


def balanced(aggregators: Any, where: str = "topology") -> Topology:
    """A leader over so many aggregators, of one worker each. Errors: ConfigError."""
    counted = isinstance(aggregators, int) and not isinstance(aggregators, bool) and 1 <= aggregators <= MOST
    require(counted, f"{where}: aggregators", f"be a whole number in [1, {MOST}]", aggregators)
    pairs = {f"aggregator-{i}": (f"worker-{i}",) for i in range(aggregators)}
    workers = tuple(f"worker-{i}" for i in range(aggregators))
    return Topology(LEADER, {LEADER: tuple(pairs), **pairs, **dict.fromkeys(workers, ())}, workers)


def _kind(where: str, fields: Any) -> str:
    """The kind of one entry, its fields checked. Errors: ConfigError."""
    if not isinstance(fields, Mapping):
        raise ConfigError(f"{where} should have a kind and children, got {brief(fields, 40)}")
    for key in map(str, fields):
        require(key in FIELDS, where, "have no other fields than kind and children", key, did_you_mean(key, FIELDS))
    kind = fields.get("kind")
    require(kind in KINDS, f"{where}: kind", f"be one of {', '.join(KINDS)}", kind, did_you_mean(str(kind), KINDS))
    return str(kind)


def _children(where: str, name: str, kinds: Mapping[str, str], listed: Any) -> tuple[str, ...]:
    """The children of one entry. Errors: ConfigError."""
    field, kind = f"{where}: {one_line(name, 60)}: children", kinds[name]
    if not isinstance(listed, list | None):
        raise ConfigError(f"{field} should be a list of names, got {brief(listed, 40)}")
    names = tuple(map(str, listed or ()))
    if kind == WORKER:
        require(not names, field, "be empty for a worker", list(names), "make it an aggregator")
    else:
        remedy = "list who reports to it" if kind == LEADER else "list who reports to it, or make it a worker"
        require(bool(names), field, f"be names, for the {kind}" if kind == LEADER else f"be names, for an {kind}",
                list(names), remedy)  # fmt: skip
    for child in names:
        require(child in kinds, field, "be names of this file", child, did_you_mean(child, kinds))
    return names


def _tree(where: str, leader: str, children: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse what is no tree below the leader. Errors: ConfigError."""
    parents: dict[str, str] = {}
    for name, below in children.items():
        for child in below:
            both = f"{one_line(parents.get(child, ''), 40)} and {one_line(name, 40)}"
            require(child not in parents, f"{where}: {one_line(child, 60)}", "have one parent", both, "leave one away")
            parents[child] = name
    require(leader not in parents, f"{where}: {leader}", "have no parent, as the leader", parents.get(leader))
    for name in children:
        lonely = name != leader and name not in parents
        require(not lonely, f"{where}: {one_line(name, 60)}", "have a parent", None, "add it to somebody's children")
    met, level = {leader}, children[leader]
    while level:
        met |= set(level)
        level = tuple(child for name in level for child in children[name])
    apart = [name for name in children if name not in met]
    require(not apart, where, "be a tree", apart[:5], "these are in a cycle: they report to each other")
