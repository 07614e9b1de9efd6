"""Image files as arrays of one size."""

from __future__ import annotations

import hashlib
import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ferembed.data.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES: tuple[str, ...] = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
"""The file names that count as images, in lower case."""

SIXTEEN_BITS = ("PNG", "PPM")
"""Formats that have no more bits of grey, although Pillow may give them in 32."""

BY_PROGRAM = ("EPS", "IPTC")
"""Formats that Pillow has another program, Ghostscript, run: EPS, and IPTC, which may wrap it."""

BLANK_SPAN = 4
"""The widest span of grey levels of a blank image. FER2013 has flat images and one that spans 3 levels."""


LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue count for in grey (ITU-R BT.601)."""


def read_image(path: str | os.PathLike[str], *, image_size: int = 48, colour: bool = False) -> NDArray[np.uint8]:
    """One image file as pixels of a square, read as :func:`square_pixels` reads an opened one.

    Parameters
    ----------
    path : path
        Any file Pillow can decode.
    image_size : int
        Height and width of the result, in pixels.
    colour : bool
        RGB rather than grey.

    Returns
    -------
    ndarray of uint8, shape (image_size, image_size) or (image_size, image_size, 3)

    Raises
    ------
    DataError
        If the file cannot be decoded; the sentence names it.
    """
    from PIL import Image

    name = os.fspath(path)
    try:
        opened = Image.open(path)
    except Exception as error:  # a broken file makes Pillow's decoders raise a dozen types
        raise DataError(f"{name} cannot be decoded as an image ({error}).") from error
    with opened:
        return square_pixels(opened, name, image_size=image_size, colour=colour)


def square_pixels(image: Image, name: str, *, image_size: int, colour: bool) -> NDArray[np.uint8]:
    """A Pillow image as pixels of a square: the one way from an image to what a network sees.

    An image that is not square is stretched to one. The camera's orientation tag is obeyed. 16 bits of grey become 8,
    floats are taken as levels from 0 to 1, and what is transparent shows the colour that the file gives it.

    Parameters
    ----------
    image : PIL.Image.Image
    name : str
        What a sentence about the image calls it.
    image_size, colour
        As for :func:`read_image`.

    Warns
    -----
    UserWarning
        If the image has contrast, and nothing is left of it.

    Raises
    ------
    DataError
        If it cannot be decoded, or its levels have no known scale.
    """
    from PIL.Image import Resampling

    try:
        levels = _levels(image, name, "RGB" if colour else "L")
        size = (image_size, image_size)
        return np.array(levels if levels.size == size else levels.resize(size, Resampling.BILINEAR))
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{name} cannot be decoded as an image ({error}).") from error


def upright(image: Image, name: str) -> Image:
    """The image turned as the camera was held, with 8 bits a channel, in whatever mode that leaves it.

    Raises
    ------
    DataError
        If its levels have no known scale, or its format is one of :data:`BY_PROGRAM`.
    """
    from PIL import ImageOps

    if image.format in BY_PROGRAM:
        raise DataError(f"{name} is {image.format}, which another program would have to run: save it as JPEG or PNG.")
    turned: Image = ImageOps.exif_transpose(image)
    return _eight_bits(turned, name, image.format)


def _levels(image: Image, name: str, mode: str) -> Image:
    """The upright image in grey or colour."""
    levels = upright(image, name).convert(mode)
    if is_blank(np.asarray(levels)[None])[0] and any(high - low > BLANK_SPAN for low, high in _spans(image)):
        warnings.warn(
            f"{name} becomes one flat grey or colour: its {image.mode} pixels differ in nothing that is looked at.",
            stacklevel=2,
        )
    return levels


def _eight_bits(image: Image, name: str, file_format: str | None) -> Image:
    """Grey of more bits brought to 8, by the rule for arrays where it is floats; every other image as it is."""
    from PIL import Image

    if image.mode == "F":
        levels = np.asarray(image)
        if not (np.isfinite(levels).all() and levels.min() >= 0 and levels.max() <= 1):
            raise DataError(
                f"{name} holds floats from {levels.min():g} to {levels.max():g}: floats must lie in [0, 1]."
            )
        return Image.fromarray(np.rint(255 * levels).astype(np.uint8))
    if image.mode.startswith("I;16") or (image.mode == "I" and file_format in SIXTEEN_BITS):
        return Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8))
    if image.mode == "I":
        raise DataError(f"{name} has pixels of 32 bits, whose scale is not known: bring them to 8 bits (0 to 255).")
    return image


def _spans(image: Image) -> list[tuple[float, float]]:
    """The least and the largest level of each channel."""
    extrema: Any = image.getextrema()
    return list(extrema) if isinstance(extrema[0], tuple) else [extrema]


def as_array(thing: Any, name: str) -> NDArray[Any]:
    """What turns into an array, as one; DataError where it does not."""
    try:
        return np.asarray(thing)
    except Exception as error:  # what a tensor on another device, or rows of several lengths, raise
        raise DataError(f"{name} cannot be read as an array ({error}).") from error


def unit_range(array: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Pixels of uint8, or floats that lie in [0, 1], as float32 in [0, 1]; DataError for any other, or for none."""
    if array.size == 0 and len(array):
        raise DataError(f"{name} has no pixels (shape {array.shape}).")
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255)
    if array.dtype == bool or not np.issubdtype(array.dtype, np.floating):
        raise DataError(f"{name} has pixels of type {array.dtype}: give uint8 (0 to 255) or floats in [0, 1].")
    if not np.isfinite(array).all():
        raise DataError(f"{name} holds NaN or infinity.")
    low, high = array.min(initial=0), array.max(initial=0)
    if low < 0 or high > 1:
        raise DataError(
            f"{name} holds floats from {low:g} to {high:g}: floats must lie in [0, 1], so divide by 255 or give uint8."
        )
    return array.astype(np.float32)


def is_blank(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether no channel's pixels span more than :data:`BLANK_SPAN` steps: (n, h, w) or (n, h, w, 3) to (n,)."""
    n, height, width, *channels = images.shape
    pixels = images.reshape(n, height * width, *(channels or [1]))
    span = pixels.max(axis=1, initial=0).astype(np.int16) - pixels.min(axis=1, initial=255)
    blank: NDArray[np.bool_] = span.max(axis=1, initial=0) <= BLANK_SPAN
    return blank


def pixel_hash(image: NDArray[np.uint8]) -> str:
    """SHA-1 of an image's bytes in hexadecimal."""
    return hashlib.sha1(image.tobytes()).hexdigest()
