"""The two jobs that join the packages: train a recogniser from faces, and judge it on faces."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.evaluation import Metrics, evaluate_probabilities
from ferembed.recognizer import Recognizer
from ferembed.storage import write_json, write_text
from ferembed.training import Recipe, RecipeError

RUN = "run.json"
PACKAGES = ("ferembed", "torch", "timm", "pytorch-metric-learning", "lightning", "faiss-cpu", "scikit-learn", "numpy")


def train(recipe: Recipe, train: FaceDataset, val: FaceDataset, out: str | os.PathLike[str]) -> Recognizer:
    """Train a recogniser and save it.

    A finished run is read back at once. A run that was cut off goes on from its last epoch.

    Parameters
    ----------
    recipe : Recipe
    train, val : FaceDataset
        Training trains; validation selects the epoch and calibrates the voters. Blank images are left out of both.
    out : path
        Folder of the run: ``recipe.yaml``, ``run.json``, ``checkpoints/``, ``logs/``, ``losses.safetensors`` and
        ``recognizer/``.

    Returns
    -------
    Recognizer

    Raises
    ------
    RecipeError
        If ``out`` holds a run of another recipe or of other data; the sentence says what differs.
    DataError
        If the splits do not fit each other or the recipe.
    """
    folder = Path(out)
    data = {"train": fingerprint(train), "validation": fingerprint(val)}
    _check_same_run(folder, recipe, data)
    if (folder / RUN).is_file():
        return Recognizer.load(folder)
    from ferembed.training.fit import fit_network

    write_text(folder / "recipe.yaml", recipe.to_yaml())
    write_json(folder / "data.json", data)
    started = time.monotonic()
    network = fit_network(recipe, train.without_blank(), val.without_blank(), folder)
    info = {
        "recipe": recipe.model_dump(mode="json"),
        "data": data,
        "versions": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "seconds": round(time.monotonic() - started, 1),
    }
    recognizer = Recognizer.build(network, train, val, info=info)
    recognizer.save(folder / "recognizer")
    write_json(folder / RUN, info)
    return recognizer


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


def fingerprint(faces: FaceDataset) -> str:
    """SHA-256 over the pixels, labels and class names of a data set, in order."""
    digest = hashlib.sha256("\n".join([*faces.classes, *faces.pixel_hashes.tolist()]).encode())
    digest.update(faces.labels.tobytes())
    return digest.hexdigest()


def _names(recognizer: Recognizer, faces: FaceDataset) -> NDArray[np.str_]:
    known = recognizer.classes_.tolist()
    unknown = [name for name in faces.classes if name not in known]
    if unknown:
        raise DataError(f"the recogniser knows {', '.join(known)}; the data also names {', '.join(unknown)}.")
    return np.array(faces.classes)[faces.labels]


def _check_same_run(folder: Path, recipe: Recipe, data: dict[str, str]) -> None:
    if (folder / "recipe.yaml").is_file():
        changes = Recipe.from_yaml(folder / "recipe.yaml").differences(recipe)
        if changes:
            raise RecipeError(
                f"{folder} holds a run of another recipe ({'; '.join(changes)}): choose another folder, or remove it."
            )
    if (folder / "data.json").is_file():
        known = json.loads((folder / "data.json").read_text(encoding="utf-8"))
        changed = [split for split in data if data[split] != known.get(split)]
        if changed:
            raise RecipeError(f"{folder} holds a run on other {' and '.join(changed)} data: choose another folder.")
