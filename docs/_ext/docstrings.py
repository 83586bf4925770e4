"""Docstrings of this repository are plain words: paragraphs, indented formulas, doctests, lists. Here they become
reStructuredText for autodoc, or Markdown for the pages of families.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

LABEL = re.compile(r"^(Source|Reading|Errors|Units|Cost|Costs|Deviation)(: )")
PARTS = re.compile(r"(`[^`\n]+`)")


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The parts of a docstring in order: ("words" | "item" | "code" | "example", its text)."""
    for part in re.split(r"\n\s*\n", text.strip("\n")):
        lines = part.split("\n")
        while lines:
            kind, taken = _kind(lines[0]), [lines.pop(0)]
            while lines and (_kind(lines[0]) == kind != "item" or _goes_on(kind, lines[0])):
                taken.append(lines.pop(0))
            yield kind, "\n".join(taken)


def _kind(line: str) -> str:
    if line.lstrip().startswith(">>>"):
        return "example"
    if line[:1].isspace():
        return "code"
    return "item" if re.match(r"[-*] |\d\. ", line) else "words"


def _goes_on(kind: str, line: str) -> bool:
    """A line that belongs to what came before: a doctest's answer, the rest of a list's item."""
    return kind == "example" or (kind == "item" and _kind(line) == "code")


def as_rst(text: str) -> str:
    """A docstring as reStructuredText."""
    return _written(text, r"([\\*_|])", "``", ("::\n\n", "    "))


def as_markdown(text: str) -> str:
    """A docstring as Markdown."""
    return _written(text, r"([\\*_<>\[\]|$#{}])", "`", ("```text\n", ""))


def _written(text: str, special: str, tick: str, code: tuple[str, str]) -> str:
    out, before = [], ""
    for kind, part in blocks(text):
        if kind in ("code", "example"):
            least = min(len(line) - len(line.lstrip()) for line in part.split("\n") if line.strip())
            body = "\n".join(code[1] + line[least:] for line in part.split("\n"))
            piece = code[0] + body + ("\n```" if code[0].startswith("```") else "")
        else:
            mark = "- " if kind == "item" else ""
            words = " ".join(line.strip() for line in part.split("\n"))
            piece = mark + _inline(re.sub(r"^([-*]|\d\.) ", "", words) if mark else words, special, tick)
        out.append(("\n" if kind == before == "item" else "\n\n") + piece)
        before = kind
    return "".join(out).strip("\n")


def _inline(words: str, special: str, tick: str) -> str:
    escape: Callable[[str], str] = lambda text: re.sub(special, r"\\\1", text)  # noqa: E731
    found = LABEL.match(words)
    label, words = (f"**{found[1]}:** ", words[found.end() :]) if found else ("", words)
    parts = PARTS.split(words)
    for i, part in enumerate(parts):
        if PARTS.fullmatch(part):
            glued = tick == "``" and i + 1 < len(parts) and parts[i + 1][:1].isalnum()
            parts[i] = tick + part[1:-1] + tick + ("\\ " if glued else "")
        else:
            parts[i] = escape(part).replace("`", "\\`")
    return label + "".join(parts)


def rewrite(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """autodoc's lines of one docstring, in place."""
    lines[:] = [*as_rst("\n".join(lines)).split("\n"), ""]


def bare(app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, answer: str | None) -> Any:
    """A protocol is not made: it has no arguments."""
    return ("", "") if getattr(obj, "_is_protocol", False) else None


def setup(app: Any) -> dict[str, bool]:
    """Sphinx calls this."""
    from sphinx.util.inspect import TypeAliasForwardRef

    TypeAliasForwardRef.__repr__ = lambda self: self.name  # inside dict[...]: `Floats`, as outside of it
    app.connect("autodoc-process-docstring", rewrite)
    app.connect("autodoc-process-signature", bare)
    return {"parallel_read_safe": True}
