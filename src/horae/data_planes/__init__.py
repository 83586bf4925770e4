"""Where arrays lie while they travel. A new plane is one file here and one line below."""

from horae.data_planes.inline import Inline

DATA_PLANES = {"inline": Inline}

__all__ = ["DATA_PLANES", "Inline"]
