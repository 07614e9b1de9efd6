"""Runs a recipe: trains, validates, keeps the best weights, and goes on where an earlier run stopped."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies.launchers.multiprocessing import _MultiProcessingLauncher
from safetensors.torch import save_file

from ferembed.data.dataset import DataError, FaceDataset
from ferembed.losses import CombinedLoss
from ferembed.models import Encoder, Network
from ferembed.storage import atomic_path
from ferembed.training.callbacks.guards import StopAtNaN, WarnOfCollapse, explain_memory
from ferembed.training.callbacks.hard_negatives import MineHardNegatives
from ferembed.training.callbacks.progress import progress_callbacks
from ferembed.training.callbacks.saving import (
    EarlyStopping,
    KeepCurve,
    ModelCheckpoint,
    MovingAverage,
    SaveOnSignal,
    TimeTrained,
)
from ferembed.training.checkpoint import SafetensorsCheckpointIO, best_weights
from ferembed.training.distributed import is_first, wait_for_all
from ferembed.training.errors import RecipeError
from ferembed.training.face_data import FaceData
from ferembed.training.loaders import make_batches
from ferembed.training.module import MetricLearner
from ferembed.training.recipe import Recipe
from ferembed.training.starting import average_with_start, start_from
from ferembed.training.teachers import asked_once

MONITOR = "validation/knn_accuracy"


def fit_network(
    recipe: Recipe,
    train: FaceDataset,
    validation: FaceDataset,
    out: str | os.PathLike[str],
    *,
    start: Network | None = None,
    teachers: Sequence[Network] = (),
    accelerator: str = "auto",
    devices: int | str | Sequence[int] = 1,
    strategy: str = "auto",
    callbacks: Sequence[Callback] = (),
) -> Network:
    """Train a network and return it with the weights of its best validated epoch.

    Parameters
    ----------
    recipe : Recipe
    train, validation : FaceDataset
        With the same classes. Training trains; validation selects the epoch, by k-NN accuracy; of equals, the first.
    out : path
        Folder for checkpoints (``checkpoints/``), CSV and TensorBoard logs (``logs/``), the losses' own parameters
        (``losses.safetensors``) and what teachers that are asked once said (``teachers.safetensors``). If it holds a
        checkpoint, training goes on from it.
    start : Network, optional
        Trained weights to start from instead of random ones.
    teachers : sequence of Network
        What the ``distillation`` loss learns from, in evaluation mode.
    accelerator, devices, strategy
        As of :class:`lightning.pytorch.Trainer`: where to compute, on how many devices, and how they work together.
    callbacks : sequence of Callback
        Lightning callbacks to run beside the engine's own.

    Returns
    -------
    Network
        On the CPU, in evaluation mode.

    Notes
    -----
    On one CPU thread the same recipe and data give the same losses to the last bit, whether or not the run was cut
    off; on several threads sums are ordered differently from run to run, and runs agree only to rounding.

    With several devices (``strategy="ddp"``) each has batches of the recipe's size, and every loss sees the embeddings
    of all of them: two devices with batches of 64 learn as one with 128 would, batch normalisation on a CPU aside.

    Raises
    ------
    DataError
        If the two splits name different classes, or votes are to be learnt and the training split has none.
    RecipeError
        If the device cannot do what the recipe asks for.
    TrainingError
        If the loss stops being a number or memory runs out: the sentence says which settings to change.
    """
    if train.classes != validation.classes:
        raise DataError(f"train names the classes {train.classes}, validation {validation.classes}: they must agree.")
    folder = Path(out)
    checkpoints = folder / "checkpoints"
    last, answers = checkpoints / "last.ckpt", folder / "teachers.safetensors"
    if not last.is_file():
        answers.unlink(missing_ok=True)
    before, during = (teachers, ()) if asked_once(recipe) else ((), teachers)
    module = make_learner(recipe, train, start=start, teachers=during)
    data = FaceData(recipe, train, validation, teachers=before, answers=answers)
    trainer = _trainer(
        recipe, folder, checkpoints, callbacks, accelerator=accelerator, devices=devices, strategy=strategy
    )
    make_batches(recipe, train.labels, world_size=trainer.world_size)  # refused here, not in each of many processes
    with _quiet(), explain_memory(recipe):
        trainer.fit(module, data, ckpt_path=last if last.is_file() else None)
    wait_for_all()
    module.load_state_dict(best_weights(folder))
    if start is not None and recipe.start_share:
        images = (batch.images for batch in data.training_faces(module.device))
        average_with_start(start, module.network, recipe.start_share, images, len(train))
    if is_first():
        with atomic_path(folder / "losses.safetensors") as draft:
            save_file({k: v.contiguous() for k, v in module.loss.state_dict().items()}, draft)
    return module.network.cpu().eval()


def make_learner(
    recipe: Recipe, train: FaceDataset, *, start: Network | None = None, teachers: Sequence[Network] = ()
) -> MetricLearner:
    torch.manual_seed(recipe.seed)
    needs = frozenset[str]().union(*(loss.needs for loss in recipe.losses))
    if "votes" in needs and (train.votes is None or not train.votes.any()):
        raise DataError("the recipe learns annotators' votes, and the training split has none: load it with votes=...")
    network = Network(
        Encoder(**recipe.encoder.model_dump()),
        num_classes=len(train.classes) if "logits" in needs else 0,
        num_vote_classes=len(train.vote_classes) if "vote_logits" in needs else 0,
    )
    if start is not None:
        start_from(start, network)
    loss = CombinedLoss(
        recipe.losses_of_batches,
        num_classes=len(train.classes),
        embedding_dim=recipe.encoder.embedding_dim,
        class_counts=list(train.class_counts().values()),
    )
    if recipe.compile:
        network.compile()
    network.to(memory_format=network.encoder.memory_format)
    return MetricLearner(recipe, network, loss, train.classes, teachers)


def _trainer(
    recipe: Recipe, folder: Path, checkpoints: Path, more: Sequence[Callback], *, accelerator: str, **where: Any
) -> pl.Trainer:
    on_gpu = accelerator in {"auto", "gpu", "cuda"} and torch.cuda.is_available()
    precision = precision_of(recipe.precision, on_gpu=on_gpu)
    callbacks = [*_callbacks(recipe, folder, checkpoints), *more]
    with _quiet(), _explain_devices(accelerator, **where):
        trainer = pl.Trainer(
            max_epochs=recipe.epochs,
            accelerator=accelerator,
            precision=precision,
            sync_batchnorm=on_gpu,
            **where,
            callbacks=callbacks,
            logger=TensorBoardLogger(folder / "logs", name="", version="tensorboard"),
            plugins=[SafetensorsCheckpointIO()],
            check_val_every_n_epoch=recipe.validate_every,
            num_sanity_val_steps=0,
            gradient_clip_val=recipe.optimizer.clip_norm,
            enable_model_summary=False,
            enable_progress_bar=any("Progress" in type(callback).__name__ for callback in callbacks),
            use_distributed_sampler=False,
            log_every_n_steps=10**9,
        )
        _check_processes(trainer)
    return trainer


def _check_processes(trainer: pl.Trainer) -> None:
    """Raise ValueError where the processes that would train together cannot."""
    launcher, cores = trainer.strategy.launcher, os.cpu_count() or 1
    if isinstance(launcher, _MultiProcessingLauncher) and not launcher.is_interactive_compatible:
        raise ValueError("processes that are spawned cannot take over what is to be trained; take strategy='ddp'.")
    # Two on one core are of use to tests, a hundred to nobody.
    if isinstance(trainer.accelerator, CPUAccelerator) and trainer.num_devices > max(2, cores):
        raise ValueError(f"it has {cores} processor cores.")


def _callbacks(recipe: Recipe, folder: Path, checkpoints: Path) -> list[Callback]:
    callbacks: list[Callback] = [
        *progress_callbacks(),
        TimeTrained(),
        KeepCurve(folder / "logs" / "csv" / "metrics.csv"),
        ModelCheckpoint(checkpoints, "best", monitor=MONITOR, mode="max", save_on_train_epoch_end=False),
        ModelCheckpoint(checkpoints, "last", save_on_train_epoch_end=True),
        SaveOnSignal(checkpoints / "last.ckpt"),
        StopAtNaN(folder / "nan-batch.safetensors"),
        WarnOfCollapse(),
    ]
    if recipe.average is not None:
        callbacks.insert(0, MovingAverage(recipe.average))
    if recipe.batches.kind == "pairs" and recipe.batches.hard_share:
        callbacks.append(MineHardNegatives())
    if recipe.patience is not None:
        callbacks.append(EarlyStopping(MONITOR, mode="max", patience=recipe.patience, check_on_train_epoch_end=False))
    return callbacks


def precision_of(name: str, *, on_gpu: bool) -> Any:
    if name == "fp16" and not on_gpu:
        raise RecipeError("precision fp16 needs a GPU: take bf16, fp32 or auto.")
    fixed = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
    if name in fixed:
        return fixed[name]
    if on_gpu:
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    return "bf16-mixed" if multiplies_bfloat16() else "32-true"


def multiplies_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware: with AMX, or with AVX-512's own instructions for it.

    PyTorch up to 2.10 cannot say: no.
    """
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(known.get("amx_bf16") or known.get("avx512_bf16"))


@contextmanager
def _explain_devices(accelerator: str, *, devices: Any, strategy: str) -> Iterator[None]:
    try:
        yield
    except (MisconfigurationException, ImportError, RuntimeError, TypeError, ValueError) as error:
        given = f"accelerator={accelerator!r}, devices={devices!r}, strategy={strategy!r}"
        raise RecipeError(f"this machine cannot train with {given}: {error}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's banners and advice about loaders that this library does not use are kept off the screen."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            warnings.filterwarnings("ignore", message=r".*lr_scheduler\.step\(\).*")
            yield
    finally:
        logger.setLevel(level)
