"""Image files as arrays of bytes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from horae.errors import one_line
from horae.population.readers.common import wrong
from horae.pure.streams import stream


def image(path: Path, side: int, *, grey: bool, row: object = None) -> NDArray[np.uint8]:
    """A picture as bytes, `(side, side)` where grey, else `(3, side, side)`. Errors: DataError.

    It is stretched to a square (bilinear), as FedScale's loader does by resizing to (side, side).
    """
    return _array(_opened(path, side, grey=grey, row=row))


def varied(
    path: Path, side: int, *, grey: bool, row: object, number: int, flip: bool, jitter: float
) -> NDArray[np.uint8]:
    """The same, perhaps mirrored (with chance 1/2) and its brightness and contrast multiplied by 1 ± jitter.

    What happens to a picture follows from its number alone: it is done once, and is the same in every run.
    """
    picture, rng = _opened(path, side, grey=grey, row=row), stream(0, "population augmentation", number)
    mirrored, bright, contrast = rng.random() < 0.5, *(1 + jitter * rng.uniform(-1, 1, 2))
    if flip and mirrored:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if jitter > 0:
        picture = ImageEnhance.Contrast(ImageEnhance.Brightness(picture).enhance(bright)).enhance(contrast)
    return _array(picture)


def _opened(path: Path, side: int, *, grey: bool, row: object) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                picture = file.convert("L" if grey else "RGB")
    except FileNotFoundError:
        raise wrong(path, "is missing, though the mapping names it; put it there", row) from None
    except Exception as error:  # Pillow's plug-ins each have their own words for a broken file
        raise wrong(path, f"is no image that can be read ({one_line(error, 60)}); fetch it again", row) from None
    return picture if picture.size == (side, side) else picture.resize((side, side), Image.Resampling.BILINEAR)


def _array(picture: Image.Image) -> NDArray[np.uint8]:
    array: NDArray[Any] = np.asarray(picture)
    return array if array.ndim == 2 else np.moveaxis(array, 2, 0)
