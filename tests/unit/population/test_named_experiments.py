"""Every named population has an experiment file that loads, and (slow) runs to its end."""

import os
from pathlib import Path

import pytest

import horae
from horae.experiment import load

FILES = Path(__file__).parents[3] / "experiments"
NAMES = ("fashion-mnist", "hapt", "debian-descriptions", "shakespeare", "synthetic", "glyphs", "movielens")
PLACES = [Path(os.environ.get("HORAE_DATA") or Path.home() / ".cache" / "horae")]
PLACES.append(Path(__file__).parents[4] / "shared" / "data")
each = pytest.mark.parametrize("name", NAMES)


@each
def test_the_file_loads_and_names_its_population(name):
    table = load(FILES / f"{name}.toml").table()
    assert table["name"] == table["population"]["name"] == name
    again = load(table)
    assert again.table() == table


@pytest.mark.slow
@each
def test_the_file_runs_to_its_end(name, tmp_path):
    population = load(FILES / f"{name}.toml").parts["population"]
    place = next((place for place in PLACES if population.missing(place) is None), None)
    if place is None:
        pytest.skip(f"the data of {name} are not here; see docs/populations.md")
    result = horae.run(FILES / f"{name}.toml", data_root=place, out=tmp_path / "run")
    assert 0 < result.accuracy <= 1
