"""Lay out what Sphinx reads: `python docs/_ext/stage.py DIR` copies the pages, and writes those that are generated.

The pages are Markdown that is also read where it lies; so links lead to files. Here links to what is on the site are
set anew, and have its title where they had its file's name; links to other files become `repo:` links; `index.md` gets
the site's navigation from its own headings: each `##` is a part, the pages that it links to are in it.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import commands
import families
import modules

ROOT = Path(__file__).parents[2]
ELSEWHERE = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
FENCED = re.compile(r"(^ *```.*?^ *```$)", re.M | re.S)
LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")
NAMES = re.compile(r"\[[\w./-]*?([\w-]+\.md)\](?=\((?!repo:)[^)\s]*\1(#[^)\s]*)?\))")  # a link that says a file's name
SPREAD = re.compile(r"(?<=\d) ± (?=\d)")  # stays on one line
COMMENT = re.compile(r"^<!--.*?-->\n?", re.M | re.S)


def place(path: str) -> str | None:
    """Where a file of the repository lies on the site; None: it is no page or picture of it."""
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    name = PurePosixPath(path)
    if path.startswith("docs/") and name.suffix in (".md", ".png", ".svg") and not path.startswith("docs/_"):
        return path[len("docs/") :]
    if path.startswith("benchmarks/results/") and name.suffix in (".md", ".png", ".svg"):
        return "results/" + path[len("benchmarks/results/") :]
    return None


def relinked(text: str, path: str) -> str:
    """A page's text with its links as the site needs them."""
    here, at = posixpath.dirname(path), posixpath.dirname(place(path) or "")

    def target(link: re.Match[str]) -> str:
        file, _hash, anchor = link[1].partition("#")
        if re.match(r"[a-z]+:", file) or not file:
            return link[1]
        aim = posixpath.normpath(posixpath.join(here, file))
        there = place(aim)
        new = posixpath.relpath(there, at or ".") if there else f"repo:{aim}"
        return f"{new}#{anchor}" if anchor else new

    parts = FENCED.split(text)
    told = lambda part: NAMES.sub("[]", SPREAD.sub("\u00a0±\u00a0", LINK.sub(target, COMMENT.sub("", part))))  # noqa: E731
    return "".join(part if i % 2 else told(part) for i, part in enumerate(parts))


def titled(text: str, path: str) -> str:
    """The same with a heading, where a table has none."""
    return text if text.lstrip().startswith("# ") else f"# {PurePosixPath(path).stem}\n\n{text}"


def sections(text: str) -> dict[str, list[str]]:
    """The pages that each part of the index links to, by heading, in order."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^## ", FENCED.sub("", text), flags=re.M)[1:]:
        links = [link for link in LINK.findall(part) if re.fullmatch(r"[\w/.-]+\.md", link)]
        found[part.split("\n")[0]] = list(dict.fromkeys(links))
    return found


def tree(pages: list[str], caption: str = "") -> str:
    """A hidden toctree."""
    head = "```{toctree}\n:hidden:\n" + (f":caption: {caption}\n" if caption else "")
    return "\n".join((head, *(page.removesuffix(".md") for page in pages), "```\n"))


def navigated(text: str, results: list[str]) -> dict[str, str]:
    """The index with its navigation, and the pages that hold the parts which are too long for a sidebar."""
    out, trees, seen = {}, [], set()
    for heading, links in sections(text).items():
        pages = [page for page in links if page not in seen and not page.startswith("decisions/")]
        seen |= set(pages)
        if heading == "Reference":
            pages = [*pages, "reference/index.md"]
        if heading == "Evidence":
            pages = [*pages, "results/index.md"]
        if decisions := [page for page in links if page.startswith("decisions/") and page not in seen]:
            seen |= set(decisions)
            names = [posixpath.basename(page) for page in decisions]
            table = re.split(r"^## Decisions\n", text, flags=re.M)[-1].split("\n## ")[0].replace("decisions/", "")
            out["decisions/index.md"] = f"# Decisions\n{table}\n\n{tree(names)}"
            pages.append("decisions/index.md")
        trees.append(tree(pages, heading))
    lines = "\n".join(f"- [{page.removesuffix('.md')}]({page})" for page in results)
    words = "What the scripts in `benchmarks/` wrote, as the pages cite it."
    out["results/index.md"] = f"# Measured tables\n\n{words}\n\n{lines}\n\n{tree(results)}"
    return {**out, "index.md": text + "\n\n" + "\n".join(trees)}


def stage(to: Path) -> Mapping[str, str]:
    """Write everything that Sphinx reads; hand back the pages by name."""
    if to.exists():
        shutil.rmtree(to)
    sources = [*(ROOT / "docs").rglob("*"), *(ROOT / "benchmarks/results").rglob("*"), *(ROOT / x for x in ELSEWHERE)]
    pages: dict[str, str] = {}
    for file in sorted(sources):
        path = file.relative_to(ROOT).as_posix()
        there = place(path)
        if there is None or not file.is_file():
            continue
        if file.suffix == ".md":
            pages[there] = titled(relinked(file.read_text(encoding="utf-8"), path), path)
        else:
            (to / there).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, to / there)
    results = [name.removeprefix("results/") for name in pages if name.startswith("results/")]
    pages |= navigated(pages["index.md"], sorted(results))
    pages |= {f"reference/{name}": text for name, text in reference().items()}
    for name, text in pages.items():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_text(text, encoding="utf-8")
    return pages


def reference() -> dict[str, str]:
    """The generated pages, and the one that lists them."""
    parts = (modules.pages(), {"commands.md": commands.page()}, families.pages())
    names = [name for part in parts for name in part]
    words = "Made from the source when this site was built: Python, the command line, and every family of components."
    lines = "\n".join(f"- [{part[name].split(chr(10))[0].lstrip('# ')}]({name})" for part in parts for name in part)
    index = {"index.md": f"# Reference from the source\n\n{words}\n\n{lines}\n\n{tree(names)}"}
    return index | {name: text for part in parts for name, text in part.items()}


if __name__ == "__main__":
    stage(Path(sys.argv[1]))
