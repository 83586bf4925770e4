"""What happens to an update on its way.

`[[channels]]` tables are passed through in order by the client, and back in reverse by the server.
"""

from horae.channels.clip_noise import ClipNoise
from horae.channels.feedback import Feedback
from horae.channels.float16 import Float16
from horae.channels.int8 import Int8
from horae.channels.order import check_channels
from horae.channels.plain import Plain
from horae.channels.top_k import TopK

CHANNELS = {
    "plain": Plain,
    "clip_noise": ClipNoise,
    "feedback": Feedback,
    "top_k": TopK,
    "float16": Float16,
    "int8": Int8,
}

__all__ = ["CHANNELS", "ClipNoise", "Feedback", "Float16", "Int8", "Plain", "TopK", "check_channels"]
