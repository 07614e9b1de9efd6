"""The job that joins the packages: train a recogniser from faces."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.data.readers.ferplus import ferplus_labels, refined_targets
from ferembed.data.resolution import as_asked
from ferembed.recognizer import Recognizer
from ferembed.recognizer.memory import check_splits
from ferembed.runs._surroundings import undisturbed
from ferembed.storage import write_json, write_text
from ferembed.training import Recipe, RecipeError

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback

    from ferembed.models import Network

RUN = "run.json"
VOTING = "recognizer-votes"
PACKAGES = ("ferembed", "torch", "timm", "pytorch-metric-learning", "lightning", "faiss-cpu", "scikit-learn", "numpy")


@undisturbed()
def train(
    recipe: Recipe | str | os.PathLike[str],
    train: FaceDataset,
    val: FaceDataset,
    out: str | os.PathLike[str],
    *,
    accelerator: str = "auto",
    devices: int | str | Sequence[int] = 1,
    strategy: str = "auto",
    callbacks: Sequence[Callback] = (),
) -> Recognizer:
    """Train a recogniser and save it.

    A finished run is read back at once. A run that was cut off goes on from its last epoch.

    Parameters
    ----------
    recipe : Recipe, str or path
        A recipe, or the name or YAML file of one, as :meth:`Recipe.named` has it.
    train, val : FaceDataset
        Training trains; validation selects the epoch and calibrates the voters. Blank images are left out of both.
        Faces from files are read as the recipe's encoder looks at them (:func:`~ferembed.data.resolution.as_asked`).
    out : path
        Folder of the run: ``recipe.yaml``, ``run.json``, ``checkpoints/``, ``logs/``, ``losses.safetensors`` and
        ``recognizer/``. Where the network learnt annotators' votes beside the labels, ``recognizer-votes/`` is the same
        network asked in their vocabulary, if each of their emotions is some training face's: its gallery votes with
        their distributions, its head over them is the softmax voter.
    accelerator, devices, strategy
        As of :class:`lightning.pytorch.Trainer`. With ``devices=2, strategy="ddp"`` Lightning starts the script again
        in a second process, which returns from here with the same recogniser. Each process has batches of the recipe's
        size, and the losses see the embeddings of all of them.
    callbacks : sequence of lightning.pytorch.Callback
        Run beside the engine's own, as a logger of experiments does; what they keep (``state_dict``) goes on with a run
        that was cut off, and is made of tensors and plain values. A finished run calls none.

    Returns
    -------
    Recognizer

    Raises
    ------
    RecipeError
        If there is no such recipe, or ``out`` holds a run of another or of other data; the sentence says what differs.
    DataError
        If the splits do not fit each other or the recipe, or no recogniser can be built of them.
    TrainingError
        If another training is running in ``out``; or if the loss stops being a number or memory runs out: the sentence
        says which settings to change.
    StorageError
        If a checkpoint of the run is missing or damaged; the sentence says what to remove.

    Notes
    -----
    The recipe's seed alone decides what is random. Random generators, default types, signal handlers and whatever else
    belongs to the whole process are left as they were found.
    """
    recipe, folder = Recipe.of(recipe), Path(out)
    _check_name(folder)
    seen_at = {"image_size": recipe.encoder.image_size, "channels": recipe.encoder.channels}
    train, val = as_asked(train, **seen_at), as_asked(val, **seen_at)
    if recipe.labels == "votes":
        train, val = ferplus_labels(train), ferplus_labels(val)
    data = {"train": train.fingerprint, "validation": val.fingerprint}
    _check_same_run(folder, recipe, data)
    if (folder / RUN).is_file():
        return Recognizer.load(folder)
    from ferembed.runs._lineage import start_of, teachers_of
    from ferembed.runs._surroundings import sole_training
    from ferembed.training.checkpoint import seconds_trained
    from ferembed.training.distributed import is_first, wait_for_all
    from ferembed.training.fit import fit_network

    votes = gallery_votes(recipe, train)
    seen, held_out = train.without_blank(), val.without_blank()
    check_splits(seen, held_out)
    with sole_training(folder):
        write_text(folder / "recipe.yaml", recipe.to_yaml())
        write_json(folder / "data.json", data)
        earlier, started = seconds_trained(folder), time.monotonic()
        network = fit_network(
            recipe,
            seen,
            held_out,
            folder,
            start=start_of(recipe, train.classes),
            teachers=teachers_of(recipe, train.classes),
            accelerator=accelerator,
            devices=devices,
            strategy=strategy,
            callbacks=callbacks,
        )
        if is_first():
            info = _info(recipe, data, earlier + time.monotonic() - started)
            build_recognizers(network, train, val, folder, votes=votes, info=info)
            write_json(folder / RUN, info)
        wait_for_all()
    return Recognizer.load(folder)


def gallery_votes(recipe: Recipe, train: FaceDataset) -> NDArray[np.float32] | None:
    """What a recipe lets the gallery's faces vote for, shape (n, c); None for their labels.

    Raises
    ------
    DataError
        If annotators' votes are to refine it and there are none.
    """
    if recipe.labels == "votes":
        return train.votes
    if not recipe.gallery_refinement:
        return None
    if train.votes is None:
        raise DataError("the recipe refines the gallery by annotators' votes, and the training split has none.")
    return refined_targets(train.labels, train.votes, len(train.classes), recipe.gallery_refinement)


def build_recognizers(
    network: Network,
    train: FaceDataset,
    val: FaceDataset,
    folder: Path,
    *,
    votes: NDArray[np.float32] | None,
    info: dict[str, Any],
) -> None:
    """Write what a run's network can be asked: ``recognizer/`` and, where it learnt votes, ``recognizer-votes/``."""
    Recognizer.build(network, train, val, votes=votes, info=info).save(folder / "recognizer")
    if network.vote is None or train.votes is None or val.votes is None or train.classes == train.vote_classes:
        return
    seen, held_out = ferplus_labels(train.without_blank()), ferplus_labels(val)
    if all(seen.class_counts().values()) and len(held_out):
        voting = Recognizer.build(network.voting(), seen, held_out, votes=seen.votes, info={**info, "labels": "votes"})
        voting.save(folder / VOTING)


def _info(recipe: Recipe, data: dict[str, str], seconds: float) -> dict[str, Any]:
    return {
        "recipe": recipe.model_dump(mode="json"),
        "data": data,
        "versions": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "commit": _commit(),
        "machine": _machine(),
        "seconds": round(seconds, 1),
    }


def _commit() -> str | None:
    """The commit of this library, where it is used from a checkout of its own, not installed inside another's."""
    file = Path(__file__)

    def git(*arguments: str) -> str:
        asked = ["git", "-C", str(file.parent), *arguments]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", file.name)
        return git("rev-parse", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return None


def _machine() -> str:
    """What computes: the graphics card, where there is one, or the processor, and how many cores."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{processor()}, {os.cpu_count()} cores"


def processor() -> str:
    """The processor's name, as the system gives it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _check_name(folder: Path) -> None:
    path = str(folder.absolute())
    if "::" in path or path != path.encode(errors="replace").decode():
        raise RecipeError(
            f"{folder} cannot hold a run: two colons in a path, and bytes that are no UTF-8, mean something else to "
            "Lightning's loggers. Choose another folder."
        )


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
