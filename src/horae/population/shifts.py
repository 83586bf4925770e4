"""Ways in which groups of clients differ: their inputs turned, or their labels renamed."""

from __future__ import annotations

import numpy as np
import scipy  # its parts are loaded when they are first used

from horae.types import Floats, Ints


def rotate(x: Floats, degrees: float) -> Floats:
    """Images `(n, h, w)` turned counter-clockwise, in a new array.

    Multiples of 90 are exact (h and w change places at 90 and 270); other angles are interpolated linearly in a frame
    of the same size, with zeros where nothing is known.
    """
    quarter, rest = divmod(degrees, 90)
    if rest == 0:
        return np.array(np.rot90(x, int(quarter) % 4, axes=(1, 2)), np.float32, order="C")
    turned = scipy.ndimage.rotate(x, degrees, axes=(1, 2), reshape=False, order=1)
    return np.asarray(turned, np.float32)


def permute_labels(y: Ints, group: int, classes: int, rng: np.random.Generator) -> Ints:
    """Labels `(n,)` as this group understands them: group 0 as they are, any other renamed by a random permutation."""
    names = np.arange(classes) if group == 0 else rng.permutation(classes)
    return names[y].astype(np.int64)
