"""What a metric loss and the data path cost a training step: python benchmarks/training_cost.py.

Two questions, each answered by pairs of times taken in turn in one process, so that a slow minute slows both:

* a step that learns with cross-entropy and a metric loss against a step with cross-entropy alone, on the same batches;
* a step of a whole run (rows drawn, pixels gathered and augmented, losses logged, weights averaged) against forward,
  backward and optimiser on one fixed batch.

With ``OMP_NUM_THREADS=1`` the times are those that the processor spent on this process, which other programs hardly
lengthen; nothing here waits for anything else.
"""

from __future__ import annotations

import argparse
import copy
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from machine import describe
from timing import BLOCK, clock, pairwise, seconds_a_step, step_of, summary, timer

import ferembed as fe
from ferembed.storage import write_json, write_text
from ferembed.training import fit
from ferembed.training.face_data import FaceBatch
from ferembed.training.module import MetricLearner

CROSS_ENTROPY = {"name": "cross_entropy", "label_smoothing": 0.1}
METRICS: dict[str, list[Any]] = {
    "supcon": [CROSS_ENTROPY, {"name": "supcon", "weight": 0.5, "temperature": 0.1}],
    "triplet, semi-hard": [CROSS_ENTROPY, {"name": "triplet", "miner": "semihard"}],
    "triplet, hard": [CROSS_ENTROPY, {"name": "triplet", "miner": {"name": "hard", "warm_up": 0}}],
    "contrastive, all pairs": [CROSS_ENTROPY, "contrastive"],
    "multi_similarity": [CROSS_ENTROPY, "multi_similarity"],
    "proxy_anchor": [CROSS_ENTROPY, "proxy_anchor"],
    "arcface": [CROSS_ENTROPY, "arcface"],
}


def cost_of_metrics(recipe: fe.Recipe, faces: fe.FaceDataset, rounds: int) -> dict[str, dict[str, float]]:
    def timed(losses: list[Any]) -> Callable[[], float]:
        return timer(recipe.override({"losses": losses}), faces)

    return {
        name: pairwise(timed(losses), timed([CROSS_ENTROPY]), rounds)
        for name, losses in {"cross-entropy itself": [CROSS_ENTROPY], **METRICS}.items()
    }


class Stopwatch(Callback):
    """Between blocks of a run's own steps, times as many on a copy of the network with one fixed batch."""

    def __init__(self) -> None:
        self.pairs: list[tuple[float, float]] = []
        self._mine: list[float] = []
        self._last = 0.0
        self._fixed: Callable[[], float] | None = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = clock()
        if self._last:
            self._mine.append(now - self._last)
        if len(self._mine) == BLOCK:
            if self._fixed is None:
                self._fixed = self._make_fixed(trainer, module, batch)
            self.pairs.append((median(self._mine), self._fixed()))
            self._mine = []
        # An epoch's last interval would hold its validation.
        self._last = 0.0 if trainer.is_last_batch else clock()

    def _make_fixed(self, trainer: pl.Trainer, module: Any, batch: FaceBatch) -> Callable[[], float]:
        trainer_, module.trainer = module.trainer, None
        twin = MetricLearner(module.recipe, copy.deepcopy(module.network), copy.deepcopy(module.loss), module.classes)
        module.trainer = trainer_
        step = step_of(twin, str(trainer.precision))
        return lambda: seconds_a_step(step, [batch] * BLOCK)


def cost_of_data(recipe: fe.Recipe, faces: fe.FaceDataset, epochs: int) -> dict[str, float]:
    watch = Stopwatch()
    splits = faces.split("train"), faces.split("validation")
    with tempfile.TemporaryDirectory() as folder:
        changed = recipe.override({"epochs": epochs, "validate_every": epochs})
        fit.fit_network(changed, *splits, folder, accelerator="cpu", callbacks=[watch])
    return summary(watch.pairs[1:])


def table(result: dict[str, Any]) -> str:
    lines = [
        "# What a training step costs",
        "",
        f"`{result['command']}`, {result['cpus']} CPUs ({result['processor']}), recipe `{result['recipe']}`, "
        f"batches of {result['batch']}, {result['precision']}; medians of pairs taken in turn in one process. The "
        f"processor {'multiplies' if result['bfloat16'] else 'does not multiply'} bfloat16 in hardware. Load: "
        f"{result['load']:.1f}; read the ratios, as the milliseconds of a busy machine are not those of a quiet one.",
        "",
        "| step | ms | against | ms | ratio |",
        "|---|---|---|---|---|",
    ]
    for name, row in result["metric_losses"].items():
        label = name if name.startswith("cross") else f"cross-entropy + {name}"
        lines.append(f"| {label} | {row['milliseconds']} | cross-entropy alone | {row['against_milliseconds']} | "
                     f"{row['ratio']:.2f} |")  # fmt: skip
    row = result["data_path"]
    lines.append(f"| whole run | {row['milliseconds']} | forward, backward and optimiser on a fixed batch | "
                 f"{row['against_milliseconds']} | {row['ratio']:.2f} |")  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder for training_cost.*")
    parser.add_argument("--recipe", default="quick", help="whose network, batches and augmentation are timed")
    parser.add_argument("--rounds", type=int, default=12, help="pairs of blocks a figure")
    options = parser.parse_args()
    recipe, faces = fe.Recipe.named(options.recipe), fe.drawn_faces(2000, seed=0)
    result = describe() | {
        "recipe": options.recipe,
        "batch": recipe.batches.size,
        "precision": fit.precision_of(recipe.precision, on_gpu=False),
        "bfloat16": fit.multiplies_bfloat16(),
        "data_path": cost_of_data(recipe, faces, epochs=max(1, options.rounds * BLOCK // 20)),
        "metric_losses": cost_of_metrics(recipe, faces, options.rounds),
        "load": os.getloadavg()[0],
    }
    write_json(options.out / "training_cost.json", result)
    write_text(options.out / "training_cost.md", table(result))
    print(table(result))


if __name__ == "__main__":
    main()
