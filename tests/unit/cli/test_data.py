import json

import pytest
from PIL import Image
from typer.testing import CliRunner

from horae.cli import app
from horae.families import FAMILIES


def horae(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_list_has_licences_and_sizes(tmp_path):
    table = json.loads(horae("data", "list", "--data-root", tmp_path, "--json"))
    assert set(table) == set(FAMILIES["population"])
    assert table["glyphs"]["here"] and table["glyphs"]["size"] == "made"
    assert table["fashion-mnist"]["licence"] == "MIT"
    assert table["digits-iid"]["size"] == "embedded"
    for name in ("hapt", "shakespeare", "debian-descriptions"):
        assert not table[name]["here"]
        assert str(tmp_path) in table[name]["missing"]
    assert "licence" in horae("data", "list", "--data-root", tmp_path)


@pytest.mark.parametrize("name", ["digits-rotated", "synthetic"])
def test_describe_says_how_clients_differ_and_draws(tmp_path, name):
    told = json.loads(
        horae("data", "describe", name, "--set", "population.clients=12", "--plot", tmp_path / "x.png", "--json")
    )
    assert told["clients"] == 12
    assert set(told["heterogeneity"]) == {"clients_looked_at", "label_tv", "size_gini", "features"}
    with Image.open(tmp_path / "x.png") as image:
        assert image.format == "PNG"


def test_describe_in_words():
    told = horae("data", "describe", "digits-dirichlet", "--set", "population.clients=12")
    assert "label tv" in told
    assert "size gini" in told
