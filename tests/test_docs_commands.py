"""Commands of the pages: the real command line knows their options; files that they name and fields exist."""

import re
import tomllib

import pytest
import typer.main
from pages import ALL, ROOT, capitals, commands, of

import horae.cli
from horae.compare.vary import parse_vary
from horae.experiment import load
from horae.settings import parse_setting

APP = typer.main.get_command(horae.cli.app)
STAND_INS = {"N": "1", "KEY=VALUE": "participants=30", "HOST:PORT": "127.0.0.1:9000"}
EXPERIMENTS = ("run", "compare", "explore", "align", "cite")
PATH = re.compile(r"[a-z][\w./-]*\.(toml|yml|csv|json|png|py|npz)")
WRITES = ("--out", "--plot")
LINES = [
    pytest.param(block, line, id=f"{block}-{' '.join(line.words[:3])}")
    for block in of("bash", run=False)
    for line in commands(block)
    if line.words[0] == "horae" or not block.why
]


def command_of(words):
    """The command that these words call, and its arguments."""
    found, rest = APP, list(words)
    while hasattr(found, "commands"):
        assert rest and rest[0] in found.commands, f"there is no command {' '.join(words)}"
        found = found.commands[rest.pop(0)]
    return found, rest


def made_on(page):
    """What the page shows as a file, or has a command or a block of Python write."""
    blocks = ALL[page]
    files = {b.file for b in blocks if b.file}
    for block in blocks:
        files |= set(re.findall(r'savez?\("([\w.]+)"', block.code)) if block.language == "python" else set()
        for line in commands(block) if block.language == "bash" else ():
            files |= {after for word, after in zip(line.words, line.words[1:], strict=False) if word in WRITES}
            files |= set(line.words[3:]) if line.words[:3] == ("horae", "new", "flower") else set()
    return files


def there(path, page):
    made = made_on(page)
    return (ROOT / path).exists() or any(path == name or path.startswith(f"{name}/") for name in made)


@pytest.mark.parametrize(("block", "line"), LINES)
def test_the_command_line_takes_it(block, line):
    name, *words = line.words
    if name == "horae":
        command, rest = command_of(words)
        with command.make_context(" ".join(words[:1]), [STAND_INS.get(word, word) for word in rest]) as context:
            assert context.params is not None  # a wrong option escapes as click's own error, with its words
    elif name == "make":
        targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[1].split()
        assert [word for word in words if word not in targets] == []
    elif name == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
            "optional-dependencies"
        ]
        assert words[0] == "install" and re.fullmatch(r"horae\[(\w+)\]", words[1])[1] in extras
    elif name.endswith("python"):
        module = words[words.index("-m") + 1].replace(".", "/") if "-m" in words else words[-1].removesuffix(".py")
        assert any((ROOT / f"{module}{end}").exists() for end in (".py", "/__main__.py", "/__init__.py"))
    else:
        assert name == "export", f"{name}: run it, or mark the block: <!-- not run here: why -->"


@pytest.mark.parametrize(("block", "line"), LINES)
def test_files_that_it_names_are_there(block, line):
    pairs = zip(("", *line.words), line.words, strict=False)
    named = [word for before, word in pairs if PATH.fullmatch(word) and before not in WRITES and not capitals(word)]
    assert [word for word in named if not block.why and not there(word, block.page)] == []


SETTING = [
    param
    for param in LINES
    if not param.values[1].shown and param.values[1].words[0] == "horae" and param.values[1].words[1] in EXPERIMENTS
]


@pytest.mark.parametrize(("block", "line"), SETTING)
def test_fields_that_it_sets_and_varies_are_there(block, line, tmp_path, monkeypatch):
    for other in ALL[block.page]:
        if other.file:
            (tmp_path / other.file).write_text(other.code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    command, rest = command_of(line.words[1:])
    with command.make_context("horae", rest) as context:
        given = context.params
    file = given.get("file")
    if file is not None:
        file = tmp_path / file if (tmp_path / file).exists() else ROOT / file
        if not file.exists():  # what `horae new flower` writes: its own tests read it
            assert there(str(given["file"]), block.page)
            return
    changes = dict(map(parse_setting, given.get("settings") or []))
    if line.words[1] != "align":  # takes the members' own fields as they are
        load(file, {key: value for key, value in changes.items()})
    for key, values in (parse_vary(given["vary"]) if given.get("vary") else {}).items():
        for value in values:
            load(file, {**changes, key: value})
