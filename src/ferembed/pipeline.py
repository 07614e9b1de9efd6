"""The job that joins the packages: train a recogniser from faces."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ferembed.data.dataset import FaceDataset
from ferembed.data.ferplus import ferplus_labels
from ferembed.recognizer import Recognizer
from ferembed.storage import write_json, write_text
from ferembed.training import Recipe, RecipeError

RUN = "run.json"
PACKAGES = ("ferembed", "torch", "timm", "pytorch-metric-learning", "lightning", "faiss-cpu", "scikit-learn", "numpy")


def train(
    recipe: Recipe,
    train: FaceDataset,
    val: FaceDataset,
    out: str | os.PathLike[str],
    *,
    accelerator: str = "auto",
    devices: int | str | Sequence[int] = 1,
    strategy: str = "auto",
) -> Recognizer:
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
    accelerator, devices, strategy
        As of :class:`lightning.pytorch.Trainer`. With ``devices=2, strategy="ddp"`` Lightning starts the script again
        in a second process, which returns from here with the same recogniser. Each process has batches of the recipe's
        size, and the losses see the embeddings of all of them.

    Returns
    -------
    Recognizer

    Raises
    ------
    RecipeError
        If ``out`` holds a run of another recipe or of other data; the sentence says what differs.
    DataError
        If the splits do not fit each other or the recipe.
    TrainingError
        If the loss stops being a number or memory runs out; the sentence says which settings to change.
    """
    folder = Path(out)
    if recipe.labels == "votes":
        train, val = ferplus_labels(train), ferplus_labels(val)
    data = {"train": fingerprint(train), "validation": fingerprint(val)}
    _check_same_run(folder, recipe, data)
    if (folder / RUN).is_file():
        return Recognizer.load(folder)
    from ferembed.lineage import start_of, teachers_of
    from ferembed.training.distributed import is_first, wait_for_all
    from ferembed.training.fit import fit_network

    write_text(folder / "recipe.yaml", recipe.to_yaml())
    write_json(folder / "data.json", data)
    started = time.monotonic()
    where: dict[str, Any] = {"accelerator": accelerator, "devices": devices, "strategy": strategy}
    network = fit_network(
        recipe,
        train.without_blank(),
        val.without_blank(),
        folder,
        start=start_of(recipe, train.classes),
        teachers=teachers_of(recipe, train.classes),
        **where,
    )
    if is_first():
        info = _info(recipe, data, time.monotonic() - started)
        Recognizer.build(network, train, val, info=info).save(folder / "recognizer")
        write_json(folder / RUN, info)
    wait_for_all()
    return Recognizer.load(folder)


def _info(recipe: Recipe, data: dict[str, str], seconds: float) -> dict[str, Any]:
    return {
        "recipe": recipe.model_dump(mode="json"),
        "data": data,
        "versions": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "seconds": round(seconds, 1),
    }


def fingerprint(faces: FaceDataset) -> str:
    """SHA-256 over the pixels, labels and class names of a data set, in order."""
    digest = hashlib.sha256("\n".join([*faces.classes, *faces.pixel_hashes.tolist()]).encode())
    digest.update(faces.labels.tobytes())
    return digest.hexdigest()


def _check_same_run(folder: Path, recipe: Recipe, data: dict[str, str]) -> None:
    if not (folder / RUN).is_file() and not any(folder.glob("checkpoints/*.ckpt")):
        return
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
