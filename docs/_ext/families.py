"""A page for every family: its members, their fields and defaults, and where the source is; from the registry."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

from docstrings import as_markdown

ROOT = Path(__file__).parents[2]
WHAT = {
    "population": "Who has which data.",
    "devices": "What clients run on.",
    "availability": "When clients are there.",
    "model": "What is trained.",
    "algorithm": "What the server does with updates, and how it bends local training.",
    "aggregation": "How a round's updates become one direction.",
    "selector": "Who is invited to a round.",
    "clustering": "Who trains together.",
    "pruning": "Which weights are trained and sent.",
    "alignment": "On which of its own samples a client trains.",
    "channels": "What happens to an update on its way: a list, `[[channels]]`.",
    "data_plane": "Where arrays lie while they travel.",
    "cost": "How long a participation lasts.",
    "trackers": "Where a run is told beside its own directory: a list, `[[trackers]]`.",
    "partition": "Who holds what: the field `partition` of a population.",
    "shifts": "How groups differ: the field `shifts` of a population, a list.",
}


def pages() -> dict[str, str]:
    """The pages by name."""
    from horae.families import EVERY

    return {f"families/{name}.md": page(name, members) for name, members in EVERY.items()}


def page(family: str, members: Any) -> str:
    """One family."""
    how = f'`[{family}] name = "..."` in an experiment file, `--set {family}.name=...` on the command line.'
    if family in ("channels", "trackers", "partition", "shifts"):
        how = 'A table with `name = "..."` and its fields.'
    head = f"# {family}\n\n{WHAT.get(family, '')} {how} The same is printed by `horae show NAME`.\n"
    return "\n".join([head, *(member(name, cls) for name, cls in members.items())])


def member(name: str, cls: Any) -> str:
    """One member: what it is, its fields, its source."""
    known = [f for f in dataclasses.fields(cls) if f.init]
    about, words = fields_of(inspect.getdoc(cls) or "", {f.name for f in known})
    rows = [f"| `{f.name}` | {_cell(f.type)} | {_cell(_default(f))} | {words.get(f.name, '')} |" for f in known]
    table = "\n".join(("| field | type | default | |", "|---|---|---|---|", *rows)) if rows else "It has no fields."
    path = Path(inspect.getsourcefile(cls) or "").resolve().relative_to(ROOT).as_posix()
    line = inspect.getsourcelines(cls)[1]
    source = f"Class `{cls.__module__}.{cls.__qualname__}`, [source](repo:{path}#L{line})."
    return f"## {name}\n\n{as_markdown(about)}\n\n{table}\n\n{source}\n"


def fields_of(text: str, names: set[str]) -> tuple[str, dict[str, str]]:
    """A docstring without the paragraphs that tell its fields (`gamma: weight of ...`), and what these tell."""
    kept, told = [], {}
    label = re.compile(
        rf"(?:(?<=^)|(?<=[.)] ))((?:{'|'.join(sorted(names)) or '-'})(?:, (?:{'|'.join(sorted(names)) or '-'}))*): "
    )
    for part in text.split("\n\n"):
        words = " ".join(line.strip() for line in part.split("\n"))
        if part[:1].isspace() or not label.match(words):
            kept.append(part)
            continue
        pieces = label.split(words)[1:]
        for key, what in zip(pieces[::2], pieces[1::2], strict=True):
            told |= dict.fromkeys(key.split(", "), as_markdown(what.strip()).replace("|", "\\|"))
    return "\n\n".join(kept), told


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return repr(field.default)
    return repr(field.default_factory()) if field.default_factory is not dataclasses.MISSING else "must be given"


def _cell(words: Any) -> str:
    text = words if isinstance(words, str) else getattr(words, "__name__", str(words))
    if found := re.fullmatch(r"Literal\[(.*)\]", text):
        return ", ".join(f"`{choice}`" for choice in found[1].split(", "))
    return "`" + text.replace("|", "\\|") + "`" if text else ""
