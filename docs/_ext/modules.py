"""Pages of what is public in Python (docs/public.md), for autodoc to fill."""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PUBLIC = {
    "horae": ("python.md", "horae: run, load, and what they hand back"),
    "horae.types": ("types.md", "horae.types: what a component is made of"),
    "horae.errors": ("errors.md", "horae.errors: what horae refuses"),
    "horae.flower": ("flower.md", "horae.flower: apps and strategies for Flower"),
}


def pages() -> dict[str, str]:
    """The pages by name."""
    return {file: page(module, title) for module, (file, title) in PUBLIC.items()}


def page(name: str, title: str) -> str:
    """One module: its docstring is on its own page's head, then every public name."""
    module = import_module(name)
    parts = [f"# {title}\n\n```{{eval-rst}}\n.. py:module:: {name}\n```\n"]
    plain = []
    for item in names(module):
        home = home_of(module, item)
        if home is None:
            plain.append(item)
            continue
        if home != name and home in PUBLIC:  # it is told there
            parts.append(f"`{item}` is in [{home}]({PUBLIC[home][0]}).\n")
            continue
        kind = "function" if f"\ndef {item}(" in source(home) else "class"
        parts.append(f"```{{eval-rst}}\n{directive(kind, home, item)}\n```\n")
    if plain:
        values = ", ".join(f"`{item}`" for item in plain)
        parts.insert(1, f"Names for types and constants, beside the classes below: {values}.\n")
    return "\n".join(parts)


def names(module: Any) -> list[str]:
    """What the module makes public, in its order."""
    if module.__name__ == "horae.errors":
        return [name for name, item in vars(module).items() if inspect.isclass(item) and issubclass(item, Exception)]
    return [name for name in module.__all__ if not name.startswith("__")]


def home_of(module: Any, item: str) -> str | None:
    """The module that defines a class or function; None for another value."""
    for table in ("_HOMES", "_WHERE"):
        if item in getattr(module, table, {}):
            return str(getattr(module, table)[item])
    found = getattr(module, item)
    ours = str(getattr(found, "__module__", "")).startswith("horae")
    return str(found.__module__) if ours and (inspect.isclass(found) or inspect.isfunction(found)) else None


def source(home: str) -> str:
    """A module's text, without importing it: what needs Flower is not here."""
    spec = find_spec(home)
    return Path(str(spec.origin)).read_text(encoding="utf-8") if spec else ""


def directive(kind: str, home: str, item: str) -> str:
    """autodoc's line for one name."""
    if kind == "function":
        return f".. autofunction:: {home}.{item}"
    family = "\n   :show-inheritance:" if home == "horae.errors" else ""
    return f".. autoclass:: {home}.{item}\n   :members:\n   :undoc-members:{family}"
