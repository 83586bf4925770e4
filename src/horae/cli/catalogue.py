"""What there is: members of families, their fields and papers, populations."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from horae import __version__
from horae.cli.options import DataRoot, File, Json, Settings, data_root_of, experiment_of, printed
from horae.errors import ConfigError, did_you_mean
from horae.settings import parse_setting


def list_(
    family: Annotated[str | None, typer.Argument(help="One family; none lists all.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Name the members of each family."""
    from horae.families import EVERY

    if family is not None and family not in EVERY:
        raise ConfigError(f"there is no family {family!r}; {did_you_mean(family, EVERY)}")
    chosen = {name: members for name, members in EVERY.items() if family in (None, name)}
    table = {name: {member: _summary(cls) for member, cls in members.items()} for name, members in chosen.items()}
    if printed(table, as_json):
        return
    grid = Table("family", "name", "what it is", box=None, header_style="bold", pad_edge=False)
    for name, members in table.items():
        for i, (member, what) in enumerate(members.items()):
            grid.add_row(name if i == 0 else "", member, what)
    Console().print(grid)


def show(
    name: Annotated[str, typer.Argument(help="A member, e.g. auxo, or family.member.")], as_json: Json = False
) -> None:
    """Show a member's fields, defaults and source."""
    family, cls = _member(name)
    hints = {f.name: f for f in dataclasses.fields(cls) if f.init}
    facts = {
        "family": family,
        "name": name.rpartition(".")[2],
        "about": inspect.getdoc(cls) or "",
        "fields": {key: {"type": _type_name(f.type), "default": _default(f)} for key, f in hints.items()},
        "code": f"{cls.__module__}:{cls.__qualname__}",
    }
    if printed(facts, as_json):
        return
    console = Console(highlight=False)
    console.print(f"[bold]{facts['name']}[/bold] ({family}, {facts['code']})\n")
    console.print(_unwrapped(str(facts["about"])), markup=False)
    if hints:
        grid = Table("field", "type", "default", box=None, header_style="bold", pad_edge=False)
        for key, f in hints.items():
            grid.add_row(key, _type_name(f.type), str(_default(f)))
        console.print()
        console.print(grid)


def cite(file: File = None, settings: Settings = None, as_json: Json = False) -> None:
    """Print the BibTeX of what an experiment uses."""
    from horae.citations import cite as entries

    found = entries(experiment_of(file, settings, None))
    if not printed({"bibtex": found}, as_json):
        print("\n\n".join(found))


def data_list(data_root: DataRoot = None, as_json: Json = False) -> None:
    """List the named populations, and whether their data are here."""
    from horae.families import FAMILIES
    from horae.population.named import licence_and_size

    table = {}
    for name, cls in FAMILIES["population"].items():
        missing = cls().missing(data_root_of(data_root))
        licence, size = licence_and_size(name, cls)
        facts = {"about": _summary(cls), "here": missing is None, "missing": missing, "licence": licence, "size": size}
        table[name] = facts
    if printed(table, as_json):
        return
    grid = Table("name", "here", "size", "licence", "what it is", box=None, header_style="bold", pad_edge=False)
    for name, facts in table.items():
        about = facts["about"] if facts["here"] else facts["missing"]
        grid.add_row(name, "yes" if facts["here"] else "no", facts["size"], _first(facts["licence"]), about)
    Console().print(grid)


def data_describe(
    name: Annotated[str, typer.Argument(help="A population.")],
    settings: Settings = None,
    seed: Annotated[int, typer.Option(help="The seed that makes the clients.")] = 0,
    plot: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw samples, labels and sizes.")] = None,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Build a population and say what is in it, and how much its clients differ."""
    from horae.experiment import load
    from horae.population.heterogeneity import heterogeneity

    changes = {"population.name": name, "seed": seed, **dict(map(parse_setting, settings or []))}
    member = load(None, changes).parts["population"]
    people = member.build(seed, data_root_of(data_root))
    if plot is not None:
        from horae.population.picture import picture

        reader = getattr(member, "reader", None)
        picture(people, plot, seed, reader and reader(data_root_of(data_root)))
    facts = {
        "name": name,
        **people.facts(),
        "heterogeneity": heterogeneity(people, seed),
        "about": people.about,
        "licence": people.licence,
        "citation": people.citation,
    }
    if printed(facts, as_json):
        return
    grid = Table(box=None, show_header=False, pad_edge=False)
    for key, value in facts.items():
        for part, item in value.items() if key == "heterogeneity" else [(key, value)]:
            grid.add_row(part.replace("_", " "), json.dumps(item) if isinstance(item, dict | list) else str(item))
    Console().print(grid)


def version() -> None:
    """Print horae's version."""
    print(__version__)


def _member(name: str) -> tuple[str, Any]:
    from horae.families import EVERY

    family, _, member = name.rpartition(".")
    for key, members in EVERY.items():
        if member in members and family in ("", key):
            return key, members[member]
    everything = [f"{key}.{m}" if family else m for key, members in EVERY.items() for m in members]
    raise ConfigError(f"there is no {name!r}; {did_you_mean(name, everything)}")


def _unwrapped(text: str) -> str:
    """A docstring whose paragraphs are one line each, for the terminal to wrap; indented lines (formulas) stay."""
    paragraphs = [part.split("\n") for part in text.split("\n\n")]
    return "\n\n".join(("\n" if lines[0][:1].isspace() else " ").join(lines) for lines in paragraphs)


def _first(licence: str) -> str:
    """A licence without what stands behind it in brackets, or after a semicolon or colon."""
    return re.split(r"[(;:]", licence)[0].strip()


def _summary(cls: Any) -> str:
    return (inspect.getdoc(cls) or "").split("\n")[0]


def _type_name(hint: Any) -> str:
    return hint if isinstance(hint, str) else str(getattr(hint, "__name__", hint))


def _default(f: dataclasses.Field[Any]) -> Any:
    if f.default is not dataclasses.MISSING:
        return f.default
    return f.default_factory() if f.default_factory is not dataclasses.MISSING else None
