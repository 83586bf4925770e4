"""The command line: run, list, show, cite, data."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from horae import __version__
from horae.citations import cite as entries
from horae.errors import ConfigError, HoraeError, did_you_mean
from horae.experiment import FAMILIES, Experiment, load
from horae.progress import Watcher
from horae.runner import Result
from horae.runner import run as carry_out
from horae.settings import parse_setting

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Federated learning on clients that differ.",
)
data_app = typer.Typer(no_args_is_help=True, help="Populations: what there is, and what is in it.")
app.add_typer(data_app, name="data")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field, e.g. clustering.gamma=0.3.")
]
DataRoot = Annotated[
    Path | None, typer.Option("--data-root", help="Where data sets lie (default: HORAE_DATA or ~/.cache/horae).")
]
File = Annotated[Path | None, typer.Argument(help="An experiment file; none is the demo.", show_default=False)]


@app.command()
def run(
    file: File = None,
    settings: Settings = None,
    seed: Annotated[int | None, typer.Option(help="The experiment's seed.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run directory (default: runs/<name>-<time>).")] = None,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Carry out an experiment, compare it with one global model at equal budget, and leave a report."""
    experiment = _experiment(file, settings, seed)
    console = Console(stderr=True, quiet=as_json)
    with Watcher(console, quiet=as_json) as watcher:
        result = carry_out(experiment, out=out, data_root=_data_root(data_root), watch=watcher.arm)
    if not _print(result.summary, as_json):
        _show(result, Console())


@app.command("list")
def list_(
    family: Annotated[str | None, typer.Argument(help="One family; none lists all.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Name the members of each family."""
    if family is not None and family not in FAMILIES:
        raise ConfigError(f"there is no family {family!r}; {did_you_mean(family, FAMILIES)}")
    chosen = {name: members for name, members in FAMILIES.items() if family in (None, name)}
    table = {name: {member: _summary(cls) for member, cls in members.items()} for name, members in chosen.items()}
    if _print(table, as_json):
        return
    grid = Table("family", "name", "what it is", box=None, header_style="bold", pad_edge=False)
    for name, members in table.items():
        for i, (member, what) in enumerate(members.items()):
            grid.add_row(name if i == 0 else "", member, what)
    Console().print(grid)


@app.command()
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
    if _print(facts, as_json):
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


@app.command()
def cite(file: File = None, settings: Settings = None, as_json: Json = False) -> None:
    """Print the BibTeX of what an experiment uses."""
    found = entries(_experiment(file, settings, None))
    if not _print({"bibtex": found}, as_json):
        print("\n\n".join(found))


@data_app.command("list")
def data_list(data_root: DataRoot = None, as_json: Json = False) -> None:
    """List the named populations, and whether their data are here."""
    table = {}
    for name, cls in FAMILIES["population"].items():
        missing = cls().missing(_data_root(data_root))
        table[name] = {"about": _summary(cls), "here": missing is None, "missing": missing}
    if _print(table, as_json):
        return
    grid = Table("name", "here", "what it is", box=None, header_style="bold", pad_edge=False)
    for name, facts in table.items():
        grid.add_row(name, "yes" if facts["here"] else "no", str(facts["about"] if facts["here"] else facts["missing"]))
    Console().print(grid)


@data_app.command("describe")
def data_describe(
    name: Annotated[str, typer.Argument(help="A population.")],
    settings: Settings = None,
    seed: Annotated[int, typer.Option(help="The seed that makes the clients.")] = 0,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Build a population and say what is in it."""
    changes = {"population.name": name, "seed": seed, **dict(map(parse_setting, settings or []))}
    people = load(None, changes).parts["population"].build(seed, _data_root(data_root))
    facts = {
        "name": name,
        **people.facts(),
        "about": people.about,
        "licence": people.licence,
        "citation": people.citation,
    }
    if _print(facts, as_json):
        return
    grid = Table(box=None, show_header=False, pad_edge=False)
    for key, value in facts.items():
        grid.add_row(key.replace("_", " "), json.dumps(value) if isinstance(value, dict | list) else str(value))
    Console().print(grid)


@app.command()
def version() -> None:
    """Print horae's version."""
    print(__version__)


def main() -> None:
    """The `horae` command: a user's mistake is one line on stderr and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except HoraeError as error:
        _fail(str(error), 2)
    except typer.Abort:  # what typer makes of Ctrl-C
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if not hasattr(error, "format_message"):  # not typer's word for a wrong option: a defect of horae
            raise
        words = error.format_message()
        if words.startswith("Usage:"):  # no command at all: the help is the answer
            print(words)
            sys.exit(2)
        _fail(f"{words} (see horae --help)", 2)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _fail(why: str, code: int) -> NoReturn:
    sys.stderr.write(f"horae: {why}\n")
    sys.exit(code)


def _experiment(file: Path | None, settings: list[str] | None, seed: int | None) -> Experiment:
    changes = dict(map(parse_setting, settings or []))
    return load(file, changes if seed is None else {**changes, "seed": seed})


def _data_root(given: Path | None) -> Path:
    """--data-root, else HORAE_DATA, else ~/.cache/horae."""
    return given or Path(os.environ.get("HORAE_DATA") or Path.home() / ".cache" / "horae")


def _print(table: dict[str, Any], as_json: bool) -> bool:
    """Print as JSON if asked to, and say whether that was done."""
    if as_json:
        print(json.dumps(table, indent=2))
    return as_json


def _show(result: Result, console: Console) -> None:
    """The end of a run, for people."""
    s, other = result.summary, result.summary.get("baseline")
    grid = Table(
        "", s["clustering"], *([other["clustering"]] if other else []), box=None, header_style="bold", pad_edge=False
    )
    rows: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
        ("mean accuracy", "accuracy", lambda v: f"{v:.1%}"),
        ("worst tenth of clients", "accuracy_worst10", lambda v: f"{v:.1%}"),
        ("cohorts", "cohorts", str),
    )
    for title, key, form in rows:
        cells = [form(t[key]) if t[key] is not None else "-" for t in (s, other) if t]
        grid.add_row(title, *cells)
    grid.add_row("participations", *(f"{t['participations']:,}" for t in (s, other) if t))
    grid.add_row("simulated time", *(f"{t['simulated_s'] / 3600:.1f} h" for t in (s, other) if t))
    if s["adjusted_rand_index"] is not None:
        grid.add_row("adjusted Rand index", f"{s['adjusted_rand_index']:.2f}", *(["-"] if other else []))
    console.print(grid)
    for split in s["splits"]:
        console.print(f"cohort {split}", markup=False, highlight=False, soft_wrap=True)
    if s["updates_refused"]:
        what = f"{s['updates_refused']:,} updates were not finite and were refused; lower training.lr"
        console.print(what, style="bold", highlight=False)
    console.print(f"report: {result.directory / 'report.html'}", markup=False, highlight=False, soft_wrap=True)


def _member(name: str) -> tuple[str, Any]:
    family, _, member = name.rpartition(".")
    for key, members in FAMILIES.items():
        if member in members and family in ("", key):
            return key, members[member]
    everything = [f"{key}.{m}" if family else m for key, members in FAMILIES.items() for m in members]
    raise ConfigError(f"there is no {name!r}; {did_you_mean(name, everything)}")


def _unwrapped(text: str) -> str:
    """A docstring whose paragraphs are one line each, for the terminal to wrap; indented lines (formulas) stay."""
    paragraphs = [part.split("\n") for part in text.split("\n\n")]
    return "\n\n".join(("\n" if lines[0][:1].isspace() else " ").join(lines) for lines in paragraphs)


def _summary(cls: Any) -> str:
    return (inspect.getdoc(cls) or "").split("\n")[0]


def _type_name(hint: Any) -> str:
    return hint if isinstance(hint, str) else str(getattr(hint, "__name__", hint))


def _default(f: dataclasses.Field[Any]) -> Any:
    if f.default is not dataclasses.MISSING:
        return f.default
    return f.default_factory() if f.default_factory is not dataclasses.MISSING else None
