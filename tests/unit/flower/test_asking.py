"""What the log of an asking run tells, and what it is asked with."""

from pathlib import Path

import pytest

from horae.errors import ConfigError
from horae.flower.asking import asker, told
from horae.flower.finding import ROLL

SAID = '{"horae": "1.0", "nodes": {"7": {"horae": "1.0"}, "8": {"why": "no {braces}"}}}'


def test_the_one_line_is_found_among_flowers():
    log = f"Success\n\x1b[92mINFO\x1b[0m :      {ROLL}{SAID}\nINFO : bye {{}}\n"
    assert told(log) == {"7": {"horae": "1.0", "server": "1.0"}, "8": {"why": "no {braces}", "server": "1.0"}}


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ("", "said nothing"),
        ("a\nERROR : there is no x\nb\n", "ERROR : there is no x"),
        ("a\nb\n", "b"),
        (ROLL, "value"),
    ],
)
def test_a_run_that_failed_says_why(log, why):
    with pytest.raises(ValueError, match=why):
        told(log)


def test_an_app_without_a_check_mode_is_not_run(tmp_path):
    with pytest.raises(ConfigError, match="--ask should go with APP_DIR"):
        asker(None, True)
    with pytest.raises(ConfigError, match=r"cannot read \[tool\.flwr\.app\.config\]"):
        asker(tmp_path, True)
    (tmp_path / "pyproject.toml").write_text("[tool.flwr.app.config]\nout = ''\n")
    with pytest.raises(ConfigError, match="needs a line: check = false"):
        asker(tmp_path, True)


def test_the_app_is_run_to_check(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.flwr.app.config]\ncheck = false\n")
    asked = []
    monkeypatch.setattr("horae.flower.asking.flwr", lambda *words: asked.append(words) or ROLL + SAID)
    assert asker(tmp_path, True)("h:1", Path("ca"))["7"] == {"horae": "1.0", "server": "1.0"}
    (words, address, ca, insecure, _) = asked[0]
    assert words == ["run", str(tmp_path), "checked", "--stream", "--run-config", "check=true"]
    assert (address, ca, insecure) == ("h:1", Path("ca"), True)
