"""What is known of FER2013's pictures before anyone looks: lists keyed by pixel hash, shipped with the package.

``benchmarks/audit.py known`` made them from the Training and PublicTest pictures; of PrivateTest they know nothing.
:mod:`ferembed.auditing.shipped` gives them as findings of an audit.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).parent / "known_fer2013.safetensors"
KEY_BYTES = 8


def copy_groups(hashes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The group of pictures of one photo that each picture belongs to.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, 20)
        SHA-1 of each picture's bytes.

    Returns
    -------
    ndarray of int64, shape (n,)
        -1 where the shipped lists know no copy of other pixels.
    """
    places = places_in("copies", hashes)
    return np.where(places >= 0, known("copies", "groups")[places].astype(np.int64), -1)


def near_copies(hashes: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether each picture is known to show the photo of one of the others.

    Parameters
    ----------
    hashes, others : ndarray of uint8, shape (n, 20) and (m, 20)
        SHA-1 of each picture's bytes.

    Returns
    -------
    ndarray of bool, shape (n,)
        True, too, for a listed picture that is itself among the others.
    """
    groups = copy_groups(hashes)
    return (groups >= 0) & np.isin(groups, copy_groups(others))


def photo_groups(hashes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """A number for each picture, equal where two have one hash (n, 20) or are known to show one photo; shape (n,)."""
    identical = np.unique(hashes, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    groups = copy_groups(hashes)
    return np.where(groups >= 0, groups, groups.max(initial=-1) + 1 + identical)


def keys_of(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The first eight bytes of each hash as a number, shape (n,)."""
    return np.ascontiguousarray(hashes[:, :KEY_BYTES]).view(">u8").astype(np.uint64).reshape(-1)


def places_in(what: str, hashes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Place of each picture in a shipped list, -1 where it is not in it; shape (n,)."""
    keys, wanted = known(what, "keys"), keys_of(hashes)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places, -1)


def known(what: str, column: str) -> NDArray[Any]:
    """A column of a shipped list."""
    return _lists()[f"{what}.{column}"]


@lru_cache(maxsize=1)
def _lists() -> dict[str, NDArray[Any]]:
    from safetensors.numpy import load_file

    return load_file(FILE)
