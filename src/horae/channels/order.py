"""In which order channels make sense."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from horae.channels.clip_noise import ClipNoise
from horae.channels.feedback import Feedback
from horae.channels.float16 import Float16
from horae.channels.int8 import Int8
from horae.channels.plain import Plain
from horae.channels.top_k import TopK
from horae.errors import require
from horae.types import Channel

PLACES: dict[type, tuple[int, str]] = {
    ClipNoise: (0, "clip_noise"), Feedback: (1, "feedback"), TopK: (2, "top_k"), Float16: (3, "float16"),
    Int8: (3, "int8"),
}  # fmt: skip


def check_channels(channels: Sequence[Channel]) -> None:
    """Refuse a list whose channels would spoil each other's work.

    What clip_noise took away must not come back, so feedback is after it; top_k must see the update before it is
    rounded, and a second rounding saves nothing. Channels of somebody else's may be anywhere. Errors: ConfigError.
    """
    found = [PLACES[type(channel)] for channel in channels if type(channel) in PLACES]
    names = [name for _, name in found]
    for (place, name), (later, other) in pairwise(found):
        twice = place == later and place > 0
        remedy = "leave one away" if twice else f"put {other} before {name}"
        should = "be in the order clip_noise, feedback, top_k, float16 or int8, each once"
        require(place <= later and not twice, "channels", should, names, remedy)
    used = [channel for channel in channels if not isinstance(channel, Plain)]
    alone = bool(used) and isinstance(used[-1], Feedback)
    should = "have top_k, float16 or int8 after feedback, which remembers what these leave out"
    require(not alone, "channels", should, names, "add one, or leave feedback away")
