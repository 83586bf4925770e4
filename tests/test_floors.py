"""Imports only point down: the floors of docs/decisions/0001, kept by reading the syntax tree."""

import ast
from pathlib import Path

import horae

SOURCE = Path(horae.__file__).parent
FLOORS = [
    {"types", "pure", "errors", "settings", "files", "pids"},
    {
        "training",
        "population",
        "aggregation",
        "algorithms",
        "selectors",
        "clustering",
        "pruning",
        "alignment",
        "channels",
        "census",
        "trackers",
    },
    {"engines", "data_planes"},
    {"cohorts", "federate", "ledger", "observers", "checkpoint", "supervised"},
    {"experiment", "families", "checks", "endpoint"},
    {
        "runner",
        "arms",
        "reuse",
        "newcomers",
        "compare",
        "reproduce",
        "sweep",
        "explain",
        "explore",
        "report",
        "citations",
        "progress",
        "doctor",
        "estimate",
        "playground",
        "proxyfloxy",
        "server",
        "flower",
        "cli",
        "__main__",
        "__init__",
    },
]
FLOOR = {name: i for i, names in enumerate(FLOORS) for name in names}
NO_TORCH = {
    "types",
    "pure",
    "aggregation",
    "algorithms",
    "selectors",
    "clustering",
    "pruning",
    "alignment",
    "channels",
    "census",
    "trackers",
    "federate",
    "ledger",
    "checkpoint",
    "files",
    "observers",
}


def imports():
    """(importing unit, imported module) for every import of the package; a unit is a file or folder right under
    horae.
    """
    for file in sorted(SOURCE.rglob("*.py")):
        unit = file.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module == "horae":
                names = [f"horae.{a.name}" for a in node.names]
            yield from ((unit, name) for name in names)


def test_every_unit_has_a_floor():
    units = {p.name.removesuffix(".py") for p in SOURCE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert units == set(FLOOR)


def test_imports_point_down():
    wrong = []
    for unit, name in imports():
        head, *rest = name.split(".")
        if head != "horae" or not rest or rest[0] == unit or unit == "__init__" or rest[0] == "__version__":
            continue
        if FLOOR[rest[0]] > FLOOR[unit] or (FLOOR[rest[0]] == FLOOR[unit] == 1):
            wrong.append(f"{unit} imports {name}")
    assert wrong == []


def test_methods_know_no_torch():
    assert [pair for pair in imports() if pair[0] in NO_TORCH and pair[1].split(".")[0] == "torch"] == []
