"""A recogniser's network for ONNX Runtime, in floats and in 8-bit integers, the latter judged before it is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ferembed.data.dataset import DataError
from ferembed.models.engines import engine_for
from ferembed.models.exporting import with_graph, with_int8
from ferembed.probability import most_probable
from ferembed.recognizer.inputs import prepare_images
from ferembed.runs._answers import answer

if TYPE_CHECKING:
    from ferembed.data import FaceDataset
    from ferembed.recognizer import Recognizer

BEARABLE = 0.003
"""Share of the validation faces that the k-NN may lose to 8 bits."""
RANGED = 512
"""Training faces, drawn by a fixed seed, whose activations give the ranges of the 8-bit numbers."""


class Accuracies(NamedTuple):
    """Of the k-NN on the validation faces before its calibration, 0 to 1."""

    floats: float
    int8: float
    faces: int


def add_graph(recognizer: Recognizer) -> None:
    """Give a recogniser ``encoder.onnx``, so that ONNX Runtime answers in PyTorch's place where it is installed.

    Raises
    ------
    ImportError
        If what writes it is not installed.
    """
    recognizer.engine = engine_for(with_graph(recognizer.engine.files))


def add_int8(recognizer: Recognizer, train: FaceDataset, validation: FaceDataset) -> Accuracies:
    """Give a recogniser ``encoder.int8.onnx``, unless its k-NN then names fewer of the validation faces.

    Parameters
    ----------
    recognizer : Recognizer
        Its gallery stays that of the floats.
    train : FaceDataset
        Some of its faces give the ranges of the 8-bit numbers.
    validation : FaceDataset
        Decides whether they are good enough.

    Raises
    ------
    DataError
        If more than :data:`BEARABLE` of the validation faces lose their right name, or there are no faces to ask.
    ImportError
        If what writes it is not installed.
    """
    engine, train = recognizer.engine, train.without_blank()
    if not len(train):
        raise DataError("the 8-bit network needs training faces, which give its ranges; the data holds none.")
    drawn = np.sort(np.random.default_rng(0).permutation(len(train))[:RANGED])
    files = with_int8(
        engine.files, prepare_images(train.subset(drawn), size=engine.image_size, channels=engine.channels)
    )
    before = _accuracy(recognizer, validation)
    recognizer.engine = engine_for(files, "int8")
    try:
        found = Accuracies(before, _accuracy(recognizer, validation), len(validation))
    finally:
        recognizer.engine = engine
    if found.floats - found.int8 > BEARABLE:
        raise DataError(
            f"8 bits cost the k-NN {100 * (found.floats - found.int8):.2f} points of accuracy ({found.floats:.1%} to "
            f"{found.int8:.1%}), more than {100 * BEARABLE:.1f}: the recogniser stays in floats."
        )
    recognizer.engine = engine_for(files)
    return found


def _accuracy(recognizer: Recognizer, faces: FaceDataset) -> float:
    """Of the k-NN before its calibration: that may have been fitted to what these very faces' floats led to."""
    answers = answer(recognizer, faces)
    knn = recognizer.voters["knn"].estimator_
    return float((most_probable(knn.predict_proba(answers.embeddings)) == answers.codes).mean())
