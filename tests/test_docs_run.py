"""The pages run: Python blocks in order in one namespace, quick commands, and what they print is what the page says."""

import ast
import contextlib
import importlib
import io
import os
import sys
import types

import pytest
from pages import ALL, ROOT, commands, of

import horae.cli

WHOLE = ("docs/quickstart.md", "docs/systems/", "docs/howto/")  # every command of these is run
QUICK = {"list", "show", "cite", "version", "data list", "new flower", "deploy check", "census"}
SLOW = {"compare"}  # processes that each load torch
CODES = {
    "horae deploy check my-app": {0, 1},  # Flower need not be here
    "horae census --clients 40 --epochs 2 --drop 0.025 --drop-at witnesses": {2},  # refused, as the page says
}
FIRST = {b.code for b in ALL["README.md"]}  # shown again elsewhere, run once
CODE = [page for page, found in ALL.items() if any(b.language == "python" and not b.why for b in found)]


def quick(page, words):
    """Whether a line of a page is run: all of the pages that are to be copied, elsewhere what takes no time."""
    name = " ".join(words[1:3]) if words[1] in ("data", "new", "deploy") else words[1]
    return name in QUICK or page.startswith(WHOLE)


def runs(page):
    """A page of which something is run."""
    lines = [line for b in ALL[page] if b.language == "bash" and not b.why for line in commands(b)]
    return page in CODE or any(a.words[0] == "horae" and not a.shown and quick(page, a.words) for a in lines)


RUN = sorted(filter(runs, ALL))
ELSEWHERE = ("docs/library.md", *WHOLE[1:])  # run by tests/unit/test_cohorts.py; systems and how-to by `make slow`
QUICKLY = [page for page in RUN if not page.startswith(ELSEWHERE)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty directory that looks like the repository's, and can be imported from."""
    for name in ("configs", "experiments", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if (tmp_path / f"{name.partition('.')[0]}.py").is_file():
            del sys.modules[name]


class Page:
    """What a reader has after having copied the blocks so far."""

    def __init__(self, place, monkeypatch, slow):
        self.place, self.patch, self.slow = place, monkeypatch, slow
        self.module = types.ModuleType("a_page_of_the_docs")
        monkeypatch.setitem(sys.modules, self.module.__name__, self.module)
        self.printed = None

    def take(self, block):
        if block.answers and self.printed is not None:
            assert self.printed.strip() == block.code.strip(), f"{block}: this is not what the block above prints"
        if block.why:
            return
        self.printed = None
        if block.file:
            (self.place / block.file).write_text(block.code, encoding="utf-8")
        if block.language == "python" and (block.page == "README.md" or block.code not in FIRST):
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(compile(block.code, str(block), "exec"), self.module.__dict__)
            self.printed = said.getvalue()
        if block.language == "bash":
            for line in commands(block):
                if line.words[0] == "horae" and not line.shown and quick(block.page, line.words):
                    self.call(line)

    def call(self, line):
        if (line.words[1] in SLOW) and not self.slow:
            return
        for key, value in line.environment.items():
            self.patch.setenv(key, value)
        self.patch.setattr(sys, "argv", list(line.words))
        with pytest.raises(SystemExit) as end:
            horae.cli.main()
        said = " ".join(line.words)
        assert (end.value.code or 0) in CODES.get(said, {0}), said


@pytest.mark.parametrize("page", QUICKLY)
def test_the_page_runs(page, place, monkeypatch, capsys):
    """In order, as somebody who copies it would; comparisons apart."""
    reader = Page(place, monkeypatch, slow=False)
    for block in ALL[page]:
        reader.take(block)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in RUN if page.startswith(WHOLE)])
def test_the_whole_page_runs(page, place, monkeypatch, capsys):
    """With comparisons."""
    reader = Page(place, monkeypatch, slow=True)
    for block in ALL[page]:
        reader.take(block)


@pytest.mark.parametrize("block", [b for b in of("python", run=False) if b.why], ids=str)
def test_what_is_not_run_can_be_read_and_names_what_there_is(block):
    for node in ast.walk(ast.parse(block.code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("horae"):
            module = importlib.import_module(node.module)
            missing = [
                a.name
                for a in node.names
                if a.name not in getattr(module, "__all__", ()) and not hasattr(module, a.name)
            ]
            assert missing == []
