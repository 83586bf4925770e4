import json

import pytest
from PIL import Image
from typer.testing import CliRunner

from horae.cli import app
from horae.errors import ConfigError, DataError
from horae.population.traces.members import EXAMPLES

RUN = CliRunner()


def call(*args):
    done = RUN.invoke(app, ["data", "trace", *map(str, args)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_it_says_what_a_trace_is(tmp_path):
    table = json.loads(call(EXAMPLES / "availability.csv", "--json"))
    assert (table["format"], table["holds"], table["clients"]) == ("horae CSV", "availability", 12)
    assert table["period_s"] == 2 * 86_400 and table["mean_online"] == pytest.approx(0.262, abs=0.001)
    words = call("devices.csv", "--data-root", EXAMPLES)
    assert "holds" in words and "devices" in words and "ms per sample" in words


def test_it_converts_and_draws(tmp_path):
    out, plot = tmp_path / "new" / "hours.json", tmp_path / "hours.png"
    words = call(EXAMPLES / "availability.csv", "--out", out, "--plot", plot)
    assert f"written: {out}" in words and f"written: {plot}" in words
    before, after = (json.loads(call(file, "--json")) for file in (EXAMPLES / "availability.csv", out))
    assert after["format"] == "horae JSON"
    assert {**after, "file": "", "format": ""} == {**before, "file": "", "format": ""}
    call(EXAMPLES / "devices.csv", "--plot", tmp_path / "devices.png")
    with Image.open(plot) as hours, Image.open(tmp_path / "devices.png") as devices:
        assert hours.size[0] == devices.size[0] == 1800
        assert devices.size[1] < hours.size[1]  # two panels, not four


@pytest.mark.parametrize(
    ("args", "kind", "words"),
    [
        (("no.csv",), DataError, "no.csv is missing; put it there"),
        (("devices.csv", "--out", "x.txt"), ConfigError, "--out should end in .csv, .json, .parquet, got 'x.txt'"),
        (("devices.csv", "--plot", "x.jpg"), ConfigError, "--plot should end in .png, got 'x.jpg'"),
    ],
)
def test_mistakes_are_one_line(args, kind, words):
    with pytest.raises(kind, match=words):
        call(*args, "--data-root", EXAMPLES)
