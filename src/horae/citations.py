"""BibTeX of what ran: citations.bib names the members of families that come from a paper."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from horae.experiment import Experiment

FILE = Path(__file__).with_name("citations.bib")


@cache
def entries() -> dict[str, list[str]]:
    """The entries of each member, by its name, or by family.name where several families have that."""
    found: dict[str, list[str]] = {}
    for block in FILE.read_text(encoding="utf-8").split("\n\n"):
        names, _, entry = block.strip().partition("\n")
        for name in names.removeprefix("% ").split() if entry.startswith("@") else ():
            found.setdefault(name, []).append(entry)
    return found


def cite(experiment: Experiment) -> list[str]:
    """The BibTeX entries of an experiment's parts, in order of family, each once."""
    names = [name for family, member in experiment.names().items() for name in (member, f"{family}.{member}")]
    return list(dict.fromkeys(entry for name in names for entry in entries().get(name, [])))
