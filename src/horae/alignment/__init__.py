"""On which of its own samples a client trains. A new method is one file here and one line below."""

from horae.alignment.off import Off

ALIGNMENT = {"off": Off}

__all__ = ["ALIGNMENT", "Off"]
