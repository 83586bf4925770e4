"""docs/papers.md names lines of the source: each must hold the definition named beside it.

`python tests/test_papers_page.py` sets the lines anew; an entry may also be written as `pure/tree.py::distance`.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "papers.md"
LINK = re.compile(r"\[`(src/[\w/]+\.py):(\d+)`\]\(([^)]+)\) `([\w.]+)`")
SHORT = re.compile(r"`([\w/]+\.py)::([\w.]+)`")
LINKS = LINK.findall(PAGE.read_text(encoding="utf-8"))


def definitions(file):
    """Line of every function and class of a file, by qualified name."""
    found = {}

    def walk(node, prefix):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[prefix + child.name] = child.lineno
                walk(child, f"{prefix}{child.name}.")

    walk(ast.parse(file.read_text(encoding="utf-8")), "")
    return found


def entry(path, name):
    line = definitions(ROOT / path)[name]
    return f"[`{path}:{line}`](../{path}#L{line}) `{name}`"


def test_the_page_names_lines():
    text = PAGE.read_text(encoding="utf-8")
    assert len(LINK.findall(text)) > 30
    assert not SHORT.findall(text), "run `python tests/test_papers_page.py` to give these entries a line"
    assert text.count("`src/") == len(LINK.findall(text)), "an entry is not of the form [`path:line`](link) `name`"


@pytest.mark.parametrize(
    ("path", "line", "link", "name"), LINKS, ids=[f"{Path(p).stem}-{name}" for p, _, _, name in LINKS]
)
def test_the_line_holds_the_definition(path, line, link, name):
    assert (ROOT / path).is_file(), f"there is no {path}"
    right = definitions(ROOT / path).get(name)
    assert right is not None, f"{path} defines no {name}"
    text = (ROOT / path).read_text(encoding="utf-8").splitlines()[int(line) - 1 : int(line)]
    holds = bool(text) and re.match(rf"\s*(async def|def|class) {name.rpartition('.')[2]}\b", text[0]) is not None
    hint = f"{name} is at {path}:{right}, docs/papers.md says {line}; run `python tests/test_papers_page.py` to mend it"
    assert holds and int(line) == right, hint
    assert link == f"../{path}#L{line}", f"the link beside {path}:{line} goes to {link}"


if __name__ == "__main__":
    page = SHORT.sub(lambda m: entry(f"src/horae/{m[1]}", m[2]), PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(LINK.sub(lambda m: entry(m[1], m[4]), page), encoding="utf-8")
