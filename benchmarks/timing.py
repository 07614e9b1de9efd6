"""How long a training step takes, one kind against another: pairs of times taken in turn in one process, so that a slow
minute slows both.

With ``OMP_NUM_THREADS=1`` the times are those that the processor spent on this process, which other programs hardly
lengthen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

import torch

import ferembed as fe
from ferembed.losses import Outputs
from ferembed.training import fit
from ferembed.training.face_data import FaceBatch
from ferembed.training.module import MetricLearner, make_optimizer

BLOCK = 5


def clock() -> float:
    """Seconds: of this process's own work where it has one thread, else of the day."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def step_of(learner: MetricLearner, precision: str) -> Callable[[FaceBatch], None]:
    """One step of training without Lightning: forward, losses, backward, optimiser."""
    optimizer = make_optimizer(learner, learner.recipe.optimizer)
    learner.train()
    half = "bf16" in precision

    def step(batch: FaceBatch) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            embeddings, logits, vote_logits = learner.network(batch.images)
            total, _ = learner.loss(Outputs(embeddings, batch.labels, logits=logits, vote_logits=vote_logits))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()

    return step


def seconds_a_step(step: Callable[[FaceBatch], None], batches: Iterable[FaceBatch]) -> float:
    times = []
    for batch in batches:
        start = clock()
        step(batch)
        times.append(clock() - start)
    return median(times)


def pairwise(one: Callable[[], float], other: Callable[[], float], rounds: int) -> dict[str, float]:
    """Median seconds of two measurements taken in turn, and the median of their ratios, one over the other."""
    return summary([(one(), other()) for _ in range(rounds + 1)][1:])


def summary(pairs: list[tuple[float, float]]) -> dict[str, float]:
    return {
        "milliseconds": round(1000 * median(a for a, _ in pairs), 2),
        "against_milliseconds": round(1000 * median(b for _, b in pairs), 2),
        "ratio": round(median(a / b for a, b in pairs), 3),
    }


def timer(recipe: fe.Recipe, faces: fe.FaceDataset, steps: int = BLOCK) -> Callable[[], float]:
    """Seconds a step of a recipe, the median of so many on the same batches of faces at each call."""
    precision = fit.precision_of(recipe.precision, on_gpu=False)
    size, generator = recipe.batches.size, torch.Generator().manual_seed(0)
    learner = fit.make_learner(recipe, faces)
    images, labels = torch.tensor(faces.images)[:, None], torch.tensor(faces.labels)

    def batch() -> FaceBatch:
        rows = torch.randint(len(faces), (size,), generator=generator)
        return FaceBatch(images[rows].float() / 255, labels[rows], None)

    batches: list[Any] = [batch() for _ in range(steps)]
    step = step_of(learner, precision)
    return lambda: seconds_a_step(step, batches)
