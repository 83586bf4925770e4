"""TOML and YAML of the pages: experiments, arms, sweeps, reproductions, trees, endpoints are read by horae."""

import re
import tomllib

import pytest
import yaml
from pages import ALL, ROOT, of

from horae.compare.arms import arms_of, read_arms
from horae.engines.topology import read_topology
from horae.experiment import DEMO, load
from horae.proxyfloxy.endpoints import read_endpoints
from horae.reproduce import reading
from horae.sweep import file as sweeps

DEMO_TABLE = tomllib.loads(DEMO.read_text(encoding="utf-8"))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory with the repository's experiments, into which the page's files can be put."""
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    for entry in (ROOT / "experiments" / "auxo").iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def experiment(table):
    """A piece of an experiment is laid over the demo."""
    whole = {**DEMO_TABLE, **table}
    if table.get("site", {}).get("endpoints") and "population" not in table:
        del whole["population"]
    return load(whole)


def read(block, place, monkeypatch):
    """Whatever reads such a file, by its first words."""
    table = tomllib.loads(block.code)
    file = place / "shown.toml"
    file.write_text(block.code, encoding="utf-8")
    if "arm" in table:
        return arms_of({}, read_arms(table["arm"]))
    if "claim" in table:
        return reading.read(file)
    if "run" in table:
        for name in re.findall(r"\$\{(\w+)\}", block.code):
            monkeypatch.setenv(name, "there")
        for wanted in re.findall(r'experiment = "([^"$]+)"', block.code):
            if not (place / wanted).exists():
                (place / wanted).write_text(DEMO.read_text(encoding="utf-8"), encoding="utf-8")
        return sweeps.read(file)
    return experiment(table)


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_the_file_is_one_that_horae_takes(block, place, monkeypatch):
    for other in ALL[block.page]:
        if other.file and not (place / other.file).exists():
            (place / other.file).write_text(other.code, encoding="utf-8")
    assert read(block, place, monkeypatch)


@pytest.mark.parametrize("block", of("toml", run=False), ids=str)
def test_the_file_is_toml(block):
    assert tomllib.loads(block.code)


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_the_yaml_is_a_tree_or_endpoints(block, tmp_path):
    table = yaml.safe_load(block.code)
    file = tmp_path / "file.yml"
    file.write_text(block.code, encoding="utf-8")
    if any(isinstance(entry, dict) and "kind" in entry for entry in table.values()):
        assert read_topology(file).workers
    else:
        assert read_endpoints(file)


def test_what_horae_does_not_know_is_found(place, monkeypatch):
    block = next(b for b in of("toml") if "[clustering]" in b.code)
    wrong = type(block)(block.page, block.line, "toml", block.code + "\n[clusterin]\nname = 'auxo'\n", block.before)
    with pytest.raises(Exception, match="clusterin"):
        read(wrong, place, monkeypatch)
