"""The site: every page is reached, links are set anew, and the reference is what the source says."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

import horae
import horae.cli
import horae.errors
import horae.types
from horae.families import EVERY

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / "docs" / "_ext"


@pytest.fixture(scope="module")
def tools():
    """The scripts that lay out the site, imported."""
    sys.path.insert(0, str(TOOLS))
    try:
        import stage

        yield stage
    finally:
        sys.path.remove(str(TOOLS))
        for file in TOOLS.glob("*.py"):
            sys.modules.pop(file.stem, None)


@pytest.fixture(scope="module")
def staged(tools, tmp_path_factory):
    """All pages by name, as Sphinx reads them, and where they lie."""
    place = tmp_path_factory.mktemp("site")
    return tools.stage(place), place


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [file.relative_to(ROOT / "docs").as_posix() for file in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if page != "index.md" and f"]({page})" not in index] == []


def test_every_page_is_reached_once_by_the_navigation(staged):
    pages, _ = staged
    listed = []
    for name, text in pages.items():
        folder = name.rpartition("/")[0]
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", text, re.S):
            names = [line for line in tree.split("\n") if line and not line.startswith(":")]
            listed += [f"{folder}/{entry}.md".lstrip("/") for entry in names]
    assert sorted(listed) == sorted(set(listed))
    assert set(listed) == set(pages) - {"index.md"}


def test_links_lead_to_pages_of_the_site_or_files_of_the_repository(staged, tools):
    pages, place = staged
    for name, text in pages.items():
        for link in tools.LINK.findall(tools.FENCED.sub("", text)):
            target = link.partition("#")[0]
            if target.startswith("repo:"):
                assert (ROOT / target[5:]).is_file(), f"{name}: {link}"
            elif target and not re.match(r"[a-z]+:", target):
                assert (place / name).parent.joinpath(target).is_file(), f"{name}: {link}"


def test_markers_and_links_are_for_the_repository_alone(tools):
    text = "[a](../../README.md#x) [b](cli.md) [c](https://x.org)\n<!-- not run here: it is dear -->\n"
    text += "```bash\n[d](cli.md)\n```\n1 ± 2\n"
    new = tools.relinked(text, "docs/howto/page.md")
    assert "[a](repo:README.md#x) [b](cli.md) [c](https://x.org)\n```bash" in new
    assert "1\u00a0±\u00a02" in new


def test_a_link_that_is_a_files_name_gets_the_pages_title(tools):
    text = "[cli.md](../cli.md#exit-codes) [docs/cli.md](../cli.md) [the page](../cli.md) [cli.md](../cli.py)"
    new = tools.relinked(text, "docs/howto/page.md")
    assert new == "[](../cli.md#exit-codes) [](../cli.md) [the page](../cli.md) [cli.md](repo:docs/cli.py)"


@pytest.mark.parametrize("family", EVERY)
def test_every_member_and_field_is_on_its_familys_page(family, staged):
    text = staged[0][f"reference/families/{family}.md"]
    for name, cls in EVERY[family].items():
        part = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert [f for f in dataclasses.fields(cls) if f.init and f"| `{f.name}` |" not in part] == []
        assert "[source](repo:src/horae/" in part


def test_every_command_and_option_is_on_the_page_of_commands(staged):
    text = staged[0]["reference/commands.md"]
    left = [("horae", typer.main.get_command(horae.cli.app))]
    while left:
        name, command = left.pop()
        if hasattr(command, "commands"):
            left += [(f"{name} {word}", inner) for word, inner in command.commands.items()]
            continue
        part = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
        options = [option for item in command.params for option in item.opts if option.startswith("--")]
        assert [option for option in options if option not in part and option != "--help"] == []


def test_what_is_public_in_python_has_its_place(staged):
    pages = staged[0]
    for module, page in ((horae, "python"), (horae.types, "types"), (horae.flower, "flower")):
        text = pages[f"reference/{page}.md"]
        missing = [name for name in module.__all__ if not name.startswith("__") and not re.search(rf"\b{name}\b", text)]
        assert missing == []
    assert "horae.errors.ConfigError" in pages["reference/errors.md"]


def test_a_docstring_is_words_formulas_and_examples(tools):
    from docstrings import as_markdown, as_rst

    text = "What *it* is: `name_` and x_.\n\n    w = a * b\n\n>>> f(1)\n2\n\nSource: somebody's |paper|."
    assert as_rst(text) == (
        "What \\*it\\* is: ``name_`` and x\\_.\n\n::\n\n    w = a * b\n\n::\n\n    >>> f(1)\n    2\n\n"
        "**Source:** somebody's \\|paper\\|."
    )
    assert "```text\nw = a * b\n```" in as_markdown(text)


def test_fields_are_taken_out_of_a_docstring(tools):
    from families import fields_of

    text = "What it is.\n\ngamma: weight (γ). start, stop: shares of\nthe budget: both in [0, 1].\n\nSource: nobody."
    about, told = fields_of(text, {"gamma", "start", "stop"})
    assert about == "What it is.\n\nSource: nobody."
    assert told["gamma"] == "weight (γ)."
    assert told["start"] == told["stop"] == "shares of the budget: both in \\[0, 1\\]."


def test_what_is_wrong_with_a_site_is_told(tools, tmp_path):
    from check import wrong

    (tmp_path / "a.html").write_text('<a href="b.html#x">b</a><script src="https://x.org/y.js"></script><p id="z">')
    (tmp_path / "b.html").write_text('<a href="a.html#z">a</a><a href="c.html">c</a>')
    (tmp_path / "s.css").write_text("@font-face { src: url(https://fonts.org/f) }")
    assert wrong(tmp_path) == [
        "a.html fetches https://x.org/y.js",
        "a.html: b.html#x names no place in the page",
        "b.html: there is no c.html",
        "s.css fetches https://fonts.org/f",
    ]


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".docs" / "ready").is_file(), reason="`make docs` makes .docs first")
def test_the_site_is_built_without_a_warning(staged, tmp_path):
    python, source = ROOT / ".docs" / "bin" / "python", staged[1]
    build = [
        python,
        "-m",
        "sphinx",
        "-W",
        "-q",
        "-E",
        "-c",
        ROOT / "docs",
        "-d",
        tmp_path / "trees",
        source,
        tmp_path / "site",
    ]
    subprocess.run(build, check=True, timeout=600)
    done = subprocess.run([python, TOOLS / "check.py", tmp_path / "site"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
