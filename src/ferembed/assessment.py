"""Judge a recogniser on faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.evaluation import Metrics, evaluate_probabilities
from ferembed.pipeline import fingerprint
from ferembed.recognizer import Recognizer


@dataclass(frozen=True)
class Evaluation:
    """Figures of each voter on one split: over all images, and over those with no exact copy in the gallery."""

    split: str
    images: int
    copies: int
    calibrated_here: bool
    all_images: dict[str, Metrics]
    without_copies: dict[str, Metrics]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "split": self.split,
            "images": self.images,
            "exact_copies_in_gallery": self.copies,
            "calibrated_on_this_split": self.calibrated_here,
            "all_images": {name: metrics.to_dict() for name, metrics in self.all_images.items()},
            "without_copies": {name: metrics.to_dict() for name, metrics in self.without_copies.items()},
        }


def evaluate(recognizer: Recognizer, faces: FaceDataset) -> Evaluation:
    """Judge the voters of a recogniser on labelled faces of one split.

    Parameters
    ----------
    recognizer : Recognizer
    faces : FaceDataset
        Its classes must be the recogniser's, in any order. Blank images count like any other.

    Returns
    -------
    Evaluation
        With the keys ``"softmax"``, ``"knn"`` and ``"vote"``.
    """
    labels = _names(recognizer, faces)
    embeddings = recognizer.encode(faces.images)
    fresh = ~recognizer.copies_in_gallery(faces)
    probabilities = {name: voter.predict_proba(embeddings) for name, voter in recognizer.voters.items()}
    classes = recognizer.classes_.tolist()

    def judge(rows: NDArray[np.bool_]) -> dict[str, Metrics]:
        return {
            name: evaluate_probabilities(labels[rows], values[rows], classes) for name, values in probabilities.items()
        }

    return Evaluation(
        split=" + ".join(faces.split_names),
        images=len(faces),
        copies=int((~fresh).sum()),
        calibrated_here=fingerprint(faces) == recognizer.info.get("data", {}).get("validation"),
        all_images=judge(np.ones(len(faces), bool)),
        without_copies=judge(fresh),
    )


def _names(recognizer: Recognizer, faces: FaceDataset) -> NDArray[np.str_]:
    known = recognizer.classes_.tolist()
    unknown = [name for name in faces.classes if name not in known]
    if unknown:
        raise DataError(f"the recogniser knows {', '.join(known)}; the data also names {', '.join(unknown)}.")
    return np.array(faces.classes)[faces.labels]
