"""What happens to an update on its way.

`[[channels]]` tables are passed through in order by the client, and back in reverse by the server.
"""

from horae.channels.clip_noise import ClipNoise
from horae.channels.plain import Plain

CHANNELS = {"plain": Plain, "clip_noise": ClipNoise}

__all__ = ["CHANNELS", "ClipNoise", "Plain"]
