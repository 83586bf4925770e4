"""Which lists of channels make sense."""

from dataclasses import dataclass

import pytest

from horae.channels import ClipNoise, Feedback, Float16, Int8, Plain, TopK, check_channels
from horae.errors import ConfigError


@dataclass(frozen=True)
class Foreign:
    """Somebody else's channel."""


CLIP, MARK, TOP, HALF, BYTE, PLAIN = ClipNoise(), Feedback(), TopK(), Float16(), Int8(), Plain()


@pytest.mark.parametrize(
    "channels",
    [
        (), (PLAIN,), (HALF,), (TOP, HALF), (MARK, TOP, BYTE), (CLIP, MARK, TOP, BYTE), (CLIP, BYTE), (CLIP, CLIP),
        (MARK, PLAIN, TOP), (Foreign(), TOP), (MARK, Foreign()), (TOP, Foreign(), HALF),
    ],
    ids=str,
)  # fmt: skip
def test_what_makes_sense_passes(channels):
    check_channels(channels)


@pytest.mark.parametrize(
    ("channels", "remedy"),
    [
        ((BYTE, TOP), "put top_k before int8"),
        ((HALF, PLAIN, TOP), "put top_k before float16"),
        ((MARK, CLIP, TOP), "put clip_noise before feedback"),
        ((TOP, CLIP), "put clip_noise before top_k"),
        ((TOP, MARK, BYTE), "put feedback before top_k"),
        ((HALF, BYTE), "leave one away"),
        ((TOP, TOP), "leave one away"),
        ((MARK, MARK, TOP), "leave one away"),
        ((MARK,), "add one, or leave feedback away"),
        ((CLIP, MARK, PLAIN), "add one, or leave feedback away"),
    ],
    ids=str,
)
def test_what_does_not_is_refused_in_one_line_with_a_remedy(channels, remedy):
    with pytest.raises(ConfigError, match=f"^channels should .*, got \\[.*\\]; {remedy}$") as why:
        check_channels(channels)
    assert "\n" not in str(why.value)
