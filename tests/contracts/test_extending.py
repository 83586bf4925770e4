"""Every plug-in of docs/extending.md, run in a real simulation."""

import re
import sys
import types
from pathlib import Path

import pytest

import horae
from horae.experiment import FAMILIES

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^## ([\w ]+?):.*?$(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
BLOCKS = {title: re.findall(r"```python\n(.*?)```", text, re.S) for title, text in SECTIONS}
FAMILY = {
    title: {"channel": "channels", "tracker": "trackers"}.get(title.lower(), title.lower().replace(" ", "_"))
    for title, blocks in BLOCKS.items()
    if blocks
}
SMALL = {
    "participants": 8,
    "baseline": "none",
    "budget": {"participations": 80},
    "population": {"name": "digits-rotated", "clients": 40},
    "evaluation": {"every": 5},
}


def test_every_family_has_a_plug_in():
    assert set(FAMILY.values()) == set(FAMILIES)


@pytest.mark.parametrize("title", FAMILY)
def test_the_plug_in_runs(title, tmp_path):
    (block,) = BLOCKS[title]
    module = types.ModuleType(f"plugin_{FAMILY[title]}")
    sys.modules[module.__name__] = module
    exec(block, module.__dict__)
    (name,) = re.findall(r"^class (\w+)", block, re.M)
    family = FAMILY[title]
    entry = {"name": f"{module.__name__}:{name}"}
    table = {**SMALL, family: [entry] if family in ("channels", "trackers") else entry}
    result = horae.run(table, out=tmp_path / "run")
    assert result.participations >= 80
    assert 0 < result.accuracy <= 1
    assert entry["name"] in (tmp_path / "run" / "experiment.toml").read_text()
    plain = horae.run(SMALL, out=tmp_path / "plain")
    if family in ("channels", "pruning"):
        assert result.bytes_up < plain.bytes_up
    if family not in ("data_plane", "trackers"):  # these must not show
        assert (result.accuracy, result.simulated_s, result.bytes_up) != (
            plain.accuracy,
            plain.simulated_s,
            plain.bytes_up,
        )
    else:
        assert result.accuracy == plain.accuracy
