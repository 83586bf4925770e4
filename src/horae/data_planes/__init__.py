"""Where arrays lie while they travel. A new plane is one file here and one line below."""

from typing import Any

from horae.data_planes.attaching import Attached, attach
from horae.data_planes.inline import Inline
from horae.data_planes.proxystore import ProxyStore
from horae.data_planes.shm import Shm
from horae.errors import require

DATA_PLANES = {"inline": Inline, "shm": Shm, "proxystore": ProxyStore}

__all__ = ["DATA_PLANES", "Attached", "Inline", "ProxyStore", "Shm", "attach", "close", "reachable"]


def close(plane: Any) -> None:
    """Leave nothing of the run behind; somebody else's plane may have nothing to close."""
    getattr(plane, "close", lambda: None)()


def reachable(plane: Any) -> None:
    """Refuse a plane that only its own process can use. Errors: ConfigError."""
    verbs = ("reserve", "put_as", "keys", "sweep", "close")
    missing = [verb for verb in verbs if not callable(getattr(plane, verb, None))]
    remedy = 'take data_plane.name = "shm"'
    require(
        not missing and hasattr(plane, "address"), "data_plane", "be reachable by workers", type(plane).__name__, remedy
    )
