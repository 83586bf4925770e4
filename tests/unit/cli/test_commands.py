"""What holds for every command: examples that can be read, a quick --help, the exit codes of docs/cli.md."""

import shlex
import subprocess
import sys

import pytest
import typer
import typer.main

import horae.cli
from horae.cli.examples import EXAMPLES
from horae.errors import ConfigError, Stopped


def leaves(group, prefix=()):
    """Every command that is no group, by the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, (*prefix, name))
        else:
            yield " ".join((*prefix, name)), command


ROOT = typer.main.get_command(horae.cli.app)
COMMANDS = dict(leaves(ROOT))
OWN = sorted(set(EXAMPLES) & set(COMMANDS))


@pytest.fixture
def ended(monkeypatch, capsys):
    """Call `horae ...` in this process: exit code, stdout, stderr."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["horae", *words])
        with pytest.raises(SystemExit) as end:
            horae.cli.main()
        return (end.value.code or 0, *capsys.readouterr())

    return call


def test_examples_are_of_commands_that_there_are():
    assert set(EXAMPLES) <= set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_ends_with_an_example_that_can_be_read(name, ended):
    code, out, err = ended(*name.split(), "--help")
    assert (code, err) == (0, "")
    lines = EXAMPLES.get(name, ())
    if not lines:
        pytest.skip(f"{name} has no example in horae/cli/examples.py yet")
    assert out.rstrip().splitlines()[-len(lines) :] == [f"    {line}" for line in lines]
    for line in lines:
        words = shlex.split(line)[1:]
        assert " ".join(words[: len(name.split())]) == name
        COMMANDS[name].make_context(name, words[len(name.split()) :])  # click's word for a wrong option would escape


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_wrong_usage_is_one_line_and_2(name, ended):
    code, out, err = ended(*name.split(), "--no-such-option")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("horae: No such option: --no-such-option")


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (ConfigError("seed should be >= 0, got -1"), 2, "horae: seed should be >= 0, got -1\n"),
        (Stopped("stopped; go on with: ..."), 130, "horae: stopped; go on with: ...\n"),
    ],
    ids=["mistake", "stopped"],
)
def test_what_horae_refuses_is_one_line_and_2_and_what_was_stopped_130(name, raised, code, line, monkeypatch, ended):
    def refuse(*args, **options):
        raise raised

    monkeypatch.setattr(type(COMMANDS[name]), "invoke", refuse)
    assert ended(*shlex.split(EXAMPLES[name][0])[1:]) == (code, "", line)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, typer.Abort])
def test_ctrl_c_reaches_main_as_such(raised, monkeypatch):
    def interrupt(*args, **options):
        raise raised

    monkeypatch.setattr(type(COMMANDS["version"]), "invoke", interrupt)
    monkeypatch.setattr(sys, "argv", ["horae", "version"])
    with pytest.raises(KeyboardInterrupt):
        horae.cli.main()


def test_main_ends_with_130_at_ctrl_c(monkeypatch, capsys):
    from horae.__main__ import main

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(horae.cli, "main", interrupt)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "horae: interrupted; what was written stays in the run directory\n"


def test_no_command_at_all_is_the_help_and_2(ended):
    code, out, _ = ended()
    assert code == 2
    assert out.startswith("Usage: ") and "Commands:" in out


def test_nothing_heavy_is_imported_for_help():
    heavy = "print([name for name in ('torch', 'scipy', 'sklearn', 'matplotlib') if name in sys.modules])"
    code = f"import sys, horae.cli; {heavy}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_the_shell_can_complete_commands_and_options():
    assert [item.value for item in ROOT.shell_complete(typer.Context(ROOT), "doc")] == ["doctor"]
    context = typer.Context(COMMANDS["run"])
    assert "--dry-run" in [item.value for item in COMMANDS["run"].shell_complete(context, "--d")]
    assert {"--install-completion", "--show-completion"} <= {name for each in ROOT.params for name in each.opts}


def test_a_module_in_the_working_directory_is_found_after_those_that_are_installed(tmp_path):
    (tmp_path / "mine.py").write_text("raise RuntimeError('here it is')\n")
    (tmp_path / "numpy.py").write_text("raise RuntimeError('not this one')\n")
    command = [sys.executable, "-P", "-c", "from horae.__main__ import main; main()"]  # -P: as the script is started
    done = subprocess.run(
        [*command, "run", "--set", "algorithm.name=mine:Own"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot import 'mine:Own' (RuntimeError: here it is)" in done.stderr
