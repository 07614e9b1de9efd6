"""A photo in any form that users have one in, as pixels."""

from __future__ import annotations

import io
import os
import warnings
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ferembed.data.errors import DataError
from ferembed.data.images import as_array, unit_range, upright

if TYPE_CHECKING:
    from PIL.Image import Image

    Photo = str | os.PathLike[str] | bytes | IO[bytes] | Image | NDArray[Any]

MOST_PIXELS = 120_000_000
"""Pixels of the largest photo that is decoded: the 108 million of a phone's, and no decompression bomb."""


def read_photo(photo: Photo) -> NDArray[np.uint8]:
    """A photo as a viewer shows it.

    It is turned as the camera was held (EXIF). Grey, palette and CMYK become RGB, 16 bits a channel become 8, what is
    transparent lies over white, and of an animation the first picture is taken.

    Parameters
    ----------
    photo : path, bytes, binary file, PIL image or array
        Paths, bytes and files (``sys.stdin.buffer``) hold anything that Pillow can decode. Arrays are uint8, or float
        in [0, 1], of shape (h, w), (h, w, 1) or (h, w, 3); what turns into an array, as a tensor does, is taken as one.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        RGB.

    Raises
    ------
    DataError
        If it cannot be read or decoded, has more than :data:`MOST_PIXELS` (which is found out before they are decoded),
        is of a format that Pillow runs another program for (EPS), or is an array of another shape, type or range; the
        sentence names it.

    Examples
    --------
    >>> read_photo(np.full((40, 60), 255, np.uint8)).shape
    (40, 60, 3)
    """
    if isinstance(photo, str | os.PathLike):
        return _from_path(photo)
    if isinstance(photo, bytes | bytearray | memoryview):
        return _from_bytes(photo, "the photo")
    if hasattr(photo, "read"):
        return _from_bytes(photo.read(), str(getattr(photo, "name", "the file")))
    return _from_object(photo)


def _from_object(photo: Any) -> NDArray[np.uint8]:
    """A PIL image or an array."""
    if hasattr(photo, "getextrema"):
        return _pixels(photo, getattr(photo, "filename", "") or "the photo")
    if hasattr(photo, "__array__"):
        return _from_array(as_array(photo, "the photo"))
    kind = "None" if photo is None else f"a {type(photo).__name__}"
    raise DataError(f"{kind} is no photo: give a path, bytes, a binary file, a PIL image or an array.")


def _from_path(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            return _decoded(file if file.seekable() else io.BytesIO(file.read()), name)
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror or error}).") from error


def _from_bytes(data: bytes | bytearray | memoryview | str, name: str) -> NDArray[np.uint8]:
    if isinstance(data, str):
        raise DataError(f"{name} is opened as text: open it as a binary file.")
    return _decoded(io.BytesIO(data), name)


def _decoded(file: IO[bytes], name: str) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its own limit follows
            opened = Image.open(file)
    except UnidentifiedImageError as error:
        is_empty = not file.seek(0, io.SEEK_END)
        wrong = "empty" if is_empty else "no image of a format that can be read, such as JPEG or PNG"
        raise DataError(f"{name} is {wrong}.") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{name} has too many pixels: {MOST_PIXELS:,} at most are decoded.") from error
    except Exception as error:  # a broken file makes Pillow's decoders raise a dozen types
        raise DataError(f"{name} cannot be decoded as an image ({error}).") from error
    with opened:
        return _pixels(opened, name)


def _pixels(image: Image, name: str) -> NDArray[np.uint8]:
    if image.width * image.height > MOST_PIXELS:
        raise DataError(f"{name} has {image.width} x {image.height} pixels: {MOST_PIXELS:,} at most are decoded.")
    try:
        return np.array(_over_white(upright(image, name)).convert("RGB"))
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{name} cannot be decoded as an image ({error}).") from error


def _over_white(image: Image) -> Image:
    """The image over white where it is transparent; one that is not, as it is."""
    from PIL import Image

    if not (image.getbands()[-1] in "Aa" or "transparency" in image.info):
        return image
    seen = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)


def _from_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (1, 3))):
        raise DataError(f"the photo must have shape (h, w), (h, w, 1) or (h, w, 3), not {array.shape}.")
    if not array.size:
        raise DataError(f"the photo has no pixels (shape {array.shape}).")
    grey_or_rgb = array if array.ndim == 3 else array[..., None]
    if array.dtype != np.uint8:
        grey_or_rgb = np.rint(255 * unit_range(grey_or_rgb, "the photo")).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(grey_or_rgb, (*array.shape[:2], 3)))
