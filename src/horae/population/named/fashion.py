"""Fashion-MNIST: clothes, which nobody owns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from horae.population.base import Population
from horae.population.files import located
from horae.population.partitioners import Dirichlet
from horae.population.pool import Partition
from horae.population.readers.common import Sharing, insist
from horae.population.readers.idx import DEBIAN, idx_pool, missing_idx

SIZE = "31 MB"
LICENCE = "MIT"
CITATION = (
    "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine learning "
    "algorithms. arXiv:1708.07747, 2017"
)


def skewed() -> Partition:
    """Label proportions from Dir(0.3)."""
    return Dirichlet(0.3)


@dataclass(frozen=True)
class FashionMnist(Sharing):
    """70,000 grey images of clothes, 28x28, ten labels; `partition` makes clients of them, `shifts` make these differ.

    The publisher's 10,000 test images are test samples, shared out in proportion to what clients train on. Needs
    Debian's package dataset-fashion-mnist, or the four IDX files in `fashion-mnist` below the data directory.
    """

    clients: int = 200
    partition: Partition = field(default_factory=skewed)

    def missing(self, data_root: Path | None) -> str | None:
        """Why it cannot be built, in one line, or None if it can."""
        if missing_idx(_place(data_root)) is None:
            return None
        return f"{missing_idx(_place(data_root))}; or apt-get install dataset-fashion-mnist"

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        insist(self.missing(data_root))
        about = "Fashion-MNIST: 70,000 grey images of 28x28, ten kinds of clothes; no image is held twice"
        pool = replace(idx_pool(_place(data_root)), about=about, licence=LICENCE, citation=CITATION)
        return self.people(pool, "fashion-mnist", seed)


def _place(data_root: Path | None) -> Path:
    own, packaged = located(data_root, "fashion-mnist"), DEBIAN / "fashion-mnist"
    return packaged if missing_idx(own) and not missing_idx(packaged) else own
