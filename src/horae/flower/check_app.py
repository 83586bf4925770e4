"""An app's directory: what Flower demands of it, and what horae does."""

from __future__ import annotations

import io
import re
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from horae.errors import HoraeError, one_line
from horae.flower.finding import Finding, ok, warn, wrong
from horae.flower.making import LONGEST

MOST = 10 * 2**20  # bytes of a packed app
SENT = {".py", ".toml", ".md", ".yaml", ".yml", ".json", ".jsonl"}
SKIPPED = {
    "__pycache__", ".git", ".flwr", ".venv", "venv", "env", "ENV", "build", "dist", "lib", "lib64", "parts", "eggs",
    ".eggs", "runs", "deployment", ".mypy_cache", ".ruff_cache", ".pytest_cache",
}  # fmt: skip
TABLES = ("project", "tool.flwr.app", "tool.flwr.app.components")


def findings(app: Path) -> Iterator[Finding]:
    """All that can be said about an app's directory."""
    if not (app / "pyproject.toml").is_file():
        yield wrong("app", f"{app} has no pyproject.toml", "name an app's directory, or: horae new flower DIR")
        return
    try:
        table = tomllib.loads((app / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        yield wrong("pyproject", f"cannot be read: {one_line(error, 100)}", f"mend {app / 'pyproject.toml'}")
        return
    yield pyproject(app, table)
    yield parts(app, table)
    yield experiment(app, table)
    yield bundle(app)


def pyproject(app: Path, table: dict[str, Any]) -> Finding:
    """The fields without which Flower takes no app."""
    faults = list(_faults(app, table))
    if faults:
        return wrong(
            "pyproject", "; ".join(faults), f"mend {app / 'pyproject.toml'}; horae new flower makes a right one"
        )
    return ok("pyproject", "has every field that Flower asks for")


def _faults(app: Path, table: dict[str, Any]) -> Iterator[str]:
    missing = [name for name in TABLES if not isinstance(_at(table, name), dict)]
    if missing:
        yield f"no [{missing[0]}]"
        return
    project, flower = _at(table, "project"), _at(table, "tool.flwr.app")
    for name in (str(project.get("name", "")), app.absolute().name):
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name) or len(name) > LONGEST:
            yield f"{name!r} is no name for an app: letters, digits and hyphens, at most {LONGEST}"
            break
    for key, where, held in (("version", "project", project), ("publisher", "tool.flwr.app", flower)):
        if not isinstance(held.get(key), str):
            yield f"no {key} in [{where}]"
    if flower.get("fab-format-version", 0) == 1:
        licence = project.get("license")
        file = licence.get("file") if isinstance(licence, dict) else None
        if file not in ("LICENSE", "LICENSE.md"):
            yield 'project.license should be { file = "LICENSE" }'
        elif not (app / file).is_file():
            yield f"there is no file {file}"
        if not any(re.match(r"flwr(\[.*\])?\s*>=", str(d)) for d in project.get("dependencies") or ()):
            yield 'project.dependencies should have "flwr>=..."'
        if not isinstance(flower.get("flwr-version-target"), str):
            yield "no flwr-version-target in [tool.flwr.app]"


def parts(app: Path, table: dict[str, Any]) -> Finding:
    """The files behind `serverapp` and `clientapp`."""
    components = _at(table, "tool.flwr.app.components")
    if not isinstance(components, dict):
        return wrong("server and client", "not named", "set serverapp and clientapp in [tool.flwr.app.components]")
    for side in ("serverapp", "clientapp"):
        module, _, name = str(components.get(side, "")).partition(":")
        file = app / (module.replace(".", "/") + ".py")
        if not module or not name:
            return wrong("server and client", f"no {side}", f'set {side} = "package.module:app"')
        if not file.is_file():
            return wrong("server and client", f"{side} is {file}, which is not there", "write it, or name another")
        try:
            compile(file.read_text(encoding="utf-8"), str(file), "exec")
        except (OSError, SyntaxError, ValueError) as error:
            return wrong("server and client", f"{file.name} cannot be read: {one_line(error, 100)}", f"mend {file}")
    return ok("server and client", f"{components['serverapp']}, {components['clientapp']}")


def experiment(app: Path, table: dict[str, Any]) -> Finding:
    """The experiment that the server would carry out."""
    from horae.endpoint import check_site  # these two need torch
    from horae.experiment import load

    held = _at(table, "tool.flwr.app.config")
    file = app / str(held.get("experiment", "experiment.toml") if isinstance(held, dict) else "experiment.toml")
    try:
        found = load(file)
        named = found.site.executor
        check_site(replace(found, site=replace(found.site, executor="flower")))
    except HoraeError as error:
        return wrong("experiment", one_line(error), f"mend {file}; horae run {file} tries it in the simulator")
    if named not in ("", "flower"):
        return wrong("experiment", f"site.executor is {named}", f"drop it from {file}: Flower's nodes train")
    return ok("experiment", f"{found.name}: {found.clustered}, {found.participants} participants a round")


def bundle(app: Path) -> Finding:
    """The bundle that Flower sends to every node: how large, and what is not in it. .gitignore is not looked at."""
    held, left = [], set()
    for file in sorted(app.rglob("*")):
        inside = file.relative_to(app)
        if not file.is_file() or SKIPPED & set(inside.parts):
            continue
        sent = file.suffix in SENT or str(inside) in ("LICENSE", "LICENSE.md")
        if sent:
            held.append(file)
        elif not file.name.startswith(".") and file.suffix != ".fab":
            left.add(str(inside))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in held:
            archive.write(file, str(file.relative_to(app)))
    size = len(packed.getbuffer())
    if size > MOST:
        largest = max(held, key=lambda file: file.stat().st_size).relative_to(app)
        return wrong("bundle", f"{size / 2**20:.1f} MB, largest {largest}", "at most 10 MB: move data out of the app")
    found = f"{len(held)} files, {size / 1024:.0f} kB"
    if left:
        names = one_line(", ".join(sorted(left)), 80)
        return warn("bundle", f"{found}; not sent: {names}", "nodes get only *.py *.toml *.md *.yaml *.json LICENSE")
    return ok("bundle", found)


def _at(table: dict[str, Any], path: str) -> Any:
    held: Any = table
    for part in path.split("."):
        held = held.get(part) if isinstance(held, dict) else None
    return held
