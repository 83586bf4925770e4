"""HAPT: what people do, by the telephone at their waist."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from horae.errors import one_line
from horae.population.base import Population
from horae.population.files import located
from horae.population.pool import Pool
from horae.population.readers.common import Sharing, first_missing, insist, wrong

SIZE = "7 MB"
FILE, CLASSES = "hapt_windows.npz", 12
LICENCE = "CC BY 4.0 (UCI, Smartphone-Based Recognition of Human Activities and Postural Transitions)"
CITATION = (
    "J.-L. Reyes-Ortiz, L. Oneto, A. Samà, X. Parra, D. Anguita: Transition-aware human activity recognition using "
    "smartphones. Neurocomputing 171, 2016. doi:10.1016/j.neucom.2015.07.085"
)


@dataclass(frozen=True)
class Hapt(Sharing):
    """30 people who wore a telephone at the waist, one client each; which of 12 activities does a window show?

    A sample is 128 steps (2.56 s) of three accelerations and three turning rates, int16 `(128, 6)`. Needs
    `hapt_windows.npz` (x, y 1 to 12, subject, scale) in the data directory.
    """

    def missing(self, data_root: Path | None) -> str | None:
        """Why it cannot be built from this data directory, in one line, or None if it can."""
        return first_missing([located(data_root, FILE)], "HAPT's windows (x, y, subject, scale)")

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        insist(self.missing(data_root))
        return self.people(hapt_pool(located(data_root, FILE)), "hapt", seed)


def hapt_pool(path: Path) -> Pool:
    """Every window; owners are subjects. Errors: DataError."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            x, y, subject, scale = (file[key] for key in ("x", "y", "subject", "scale"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise wrong(path, f"should hold x, y, subject and scale, got {one_line(error, 80)}; fetch it again") from None
    alike = x.ndim == 3 and x.dtype == np.int16 and len(x) > 0 and y.shape == subject.shape == x.shape[:1]
    if not alike or y.dtype.kind not in "iu" or subject.dtype.kind not in "iu" or scale.size != 1:
        found = one_line([f"{array.dtype} {array.shape}" for array in (x, y, subject, scale)], 120)
        raise wrong(path, f"should hold int16 windows (n, steps, channels) and n whole numbers each, got {found}")
    if int(y.min()) < 1 or int(y.max()) > CLASSES:
        raise wrong(path, f"y should lie in [1, {CLASSES}], got {y.min()} to {y.max()}")
    _, owners = np.unique(subject, return_inverse=True)
    about = f"HAPT: {len(x):,} windows of 2.56 s by {int(owners.max()) + 1} people, 12 activities"
    labels, unit = y.astype(np.int64) - 1, float(scale)
    return Pool(
        x, labels, CLASSES, owners.astype(np.int64), scale=unit, about=about, licence=LICENCE, citation=CITATION
    )
