"""horae: federated learning on clients that differ.

    >>> import horae
    >>> result = horae.run("demo", seed=1)          # doctest: +SKIP
    >>> result.cohorts, result.accuracy             # doctest: +SKIP

Names below are imported when first used, so that `horae.pure` and `horae.clustering` work without torch.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from horae.cohorts import Cohorts
    from horae.errors import HoraeError
    from horae.experiment import Experiment, load
    from horae.population import Population
    from horae.runner import Result, run

try:
    __version__ = version("horae")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+source"

__all__ = ["Cohorts", "Experiment", "HoraeError", "Population", "Result", "__version__", "load", "run"]

_HOMES = {
    "Cohorts": "horae.cohorts",
    "Experiment": "horae.experiment",
    "HoraeError": "horae.errors",
    "Population": "horae.population",
    "Result": "horae.runner",
    "load": "horae.experiment",
    "run": "horae.runner",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'horae' has no attribute {name!r}")
