"""What happens to an update on its way.

`[[channels]]` tables are passed through in order by the client, and back in reverse by the server.
"""

from horae.channels.plain import Plain

CHANNELS = {"plain": Plain}

__all__ = ["CHANNELS", "Plain"]
