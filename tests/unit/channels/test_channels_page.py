"""docs/channels.md: its example can be carried out, and its numbers are so."""

import re
import tomllib
from pathlib import Path

from horae.channels import CHANNELS, check_channels
from horae.engines.wire import wire_nbytes
from horae.experiment import load

PAGE = (Path(__file__).parents[3] / "docs" / "channels.md").read_text(encoding="utf-8")


def test_every_channel_has_a_row():
    assert re.findall(r"^\| `(\w+)` \|", PAGE.split("## Measured")[0], re.M) == list(CHANNELS)


def test_the_example_makes_sense_and_weighs_what_the_page_says():
    found = re.search(r"```toml\n(.*?)```", PAGE, re.S)
    assert found is not None
    experiment = load(tomllib.loads(found[1]))
    channels = experiment.parts["channels"]
    check_channels(channels)
    said = re.search(r"sends (\d+) bytes an update, where plain float32 sends ([\d,]+)", PAGE)
    assert said is not None
    n = experiment.world().trainer.n_params
    assert [wire_nbytes(channels, n), wire_nbytes((), n)] == [int(word.replace(",", "")) for word in said.groups()]
