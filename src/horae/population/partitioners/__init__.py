"""Ways to share samples out, by the names that flwr-datasets uses. A new one is one file here and one line below."""

from typing import Any

from horae.population.partitioners.dirichlet import Dirichlet
from horae.population.partitioners.iid import Iid
from horae.population.partitioners.natural import NaturalId
from horae.population.partitioners.pathological import Pathological
from horae.population.partitioners.shard import Shard
from horae.population.partitioners.sizes import Exponential, Linear, Square

PARTITIONS: dict[str, Any] = {
    "iid": Iid,
    "dirichlet": Dirichlet,
    "pathological": Pathological,
    "shard": Shard,
    "natural-id": NaturalId,
    "exponential": Exponential,
    "linear": Linear,
    "square": Square,
}

__all__ = ["PARTITIONS", "Dirichlet", "Exponential", "Iid", "Linear", "NaturalId", "Pathological", "Shard", "Square"]
