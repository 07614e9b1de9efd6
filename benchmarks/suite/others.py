"""Classifiers from elsewhere, each a function of images: a row like any other."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from benchmarks.suite.records import NotYet
from numpy.typing import NDArray

Function = Callable[[NDArray[np.uint8]], Any]
"""Takes grey images (n, h, w) and gives probabilities: an array whose columns are the data set's classes in their
order, or a data frame, whose columns are read by name."""
ROUNDED = 0.005
"""Half of what fer rounds its shares to, so that none is zero."""


def fer(images: NDArray[np.uint8]) -> Any:
    """The package fer with the weights that come with it, told that each image is a face.

    Raises
    ------
    NotYet
        If it is not installed.
    """
    import pandas as pd

    try:
        from fer.fer import FER  # type: ignore[import-not-found]
    except ImportError as error:
        raise NotYet(f"the package fer is not there (pip install fer): {error}") from error
    # One tall picture of all faces, each of which is exactly one image: it would look beyond its edges otherwise.
    detector, (n, height, width) = FER(offsets=(0, 0)), images.shape
    whole = [(0, height * row, width, height) for row in range(n)]
    found = detector.detect_emotions(np.repeat(images.reshape(-1, width, 1), 3, axis=2), face_rectangles=whole)
    shares = pd.DataFrame([face["emotions"] for face in found]) + ROUNDED
    return shares.div(shares.sum(axis=1), axis=0)


OTHERS: dict[str, Function] = {"fer": fer}


def named_functions(given: Sequence[str]) -> dict[str, Function]:
    """The functions this module has, and those given as ``NAME=MODULE:FUNCTION``.

    Raises
    ------
    SystemExit
        If there is no such function.
    """
    found = dict(OTHERS)
    for each in given:
        name, _, place = each.partition("=")
        module, _, function = place.partition(":")
        try:
            found[name] = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise SystemExit(
                f"--function takes NAME=MODULE:FUNCTION, such as mine=my_module:predict; {each}: {error}"
            ) from error
    return found
