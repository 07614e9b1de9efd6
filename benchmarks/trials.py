"""What one change to `small` is worth, in cheap runs: python benchmarks/trials.py data/fer2013.csv [--only NAME ...].

Half of FER2013's Training, each photo whole, and a quarter of the recipe's epochs. PublicTest chooses the epoch; each
fifth of it is asked of voters that the other four calibrated. A run that was cut off goes on, and one whose figures
stand in the results is not trained again. What looks like a gain is worth three seeds: --seeds 0 1 2.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from cleaned_labels import most_frequent
from lightning.pytorch import Callback, LightningModule, Trainer
from machine import describe
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor, nn
from torch.nn import functional as F

import ferembed as fe
from ferembed.auditing.labels import out_of_fold_softmax
from ferembed.data.known import photo_groups
from ferembed.evaluation import evaluate_probabilities
from ferembed.runs.assessment import answer, cross_fitted
from ferembed.storage import write_json, write_text
from ferembed.training.memory import keep_freed_memory

EPOCHS = 20
DOUBT = 0.1
BASE = "as it is"
WITHOUT_SUPCON = [{"name": "cross_entropy", "label_smoothing": 0.1}, {"name": "soft_cross_entropy", "weight": 0.5}]


def one_label_a_photo(faces: fe.FaceDataset) -> fe.FaceDataset:
    """What most faces of a photo are called."""
    return faces.with_labels(most_frequent(faces.labels, photo_groups(faces.hashes)), faces.classes)


def one_face_a_photo(faces: fe.FaceDataset) -> fe.FaceDataset:
    """The first face of each photo, called what most of its faces are."""
    first = np.unique(photo_groups(faces.hashes), return_index=True)[1]
    return one_label_a_photo(faces).subset(np.sort(first))


def _own_label(faces: fe.FaceDataset) -> tuple[Any, Any]:
    """What a softmax regression on the shipped network's embeddings, fitted without the photo, believes of each face,
    and the probability of the face's own label."""
    believed = out_of_fold_softmax(
        fe.load("small").encode(faces.images), faces.labels, len(faces.classes), groups=photo_groups(faces.hashes)
    )
    return believed, believed[np.arange(len(faces)), faces.labels]


def doubted_left_out(faces: fe.FaceDataset) -> fe.FaceDataset:
    """Without the labels whose probability is below :data:`DOUBT`."""
    return faces.subset(_own_label(faces)[1] >= DOUBT)


def doubted_relabelled(faces: fe.FaceDataset) -> fe.FaceDataset:
    """Those labels replaced by the likeliest."""
    believed, own = _own_label(faces)
    return faces.with_labels(np.where(own >= DOUBT, faces.labels, believed.argmax(axis=1)), faces.classes)


class CoarseFirst(Callback):
    """Scales the faces of the first half of the epochs to 32 pixels."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        def scaled(backbone: nn.Module, images: tuple[Tensor]) -> tuple[Tensor] | None:
            early = backbone.training and trainer.current_epoch < trainer.max_epochs // 2
            return (F.interpolate(images[0], (32, 32), mode="bilinear", antialias=True),) if early else None

        self._hook = pl_module.network.encoder.backbone.register_forward_pre_hook(scaled)

    def on_fit_end(self, *_: Any) -> None:
        self._hook.remove()


@dataclass(frozen=True)
class Change:
    """What a trial does otherwise."""

    recipe: Mapping[str, Any] = field(default_factory=dict)
    faces: Callable[[fe.FaceDataset], fe.FaceDataset] | None = None
    callbacks: Sequence[Callback] = ()


CHANGES: dict[str, Change] = {
    BASE: Change(),
    "SGD, lr 0.1": Change({"optimizer.name": "sgd", "optimizer.lr": 0.1, "optimizer.weight_decay": 5e-4}),
    "squeeze-excitation": Change({"encoder.backbone_args.block_args": {"attn_layer": "se"}}),
    "stochastic depth 0.1": Change({"encoder.backbone_args.drop_path_rate": 0.1}),
    "mixup 0.2": Change({"augment.mixup": 0.2}),
    "milder augmentation": Change(
        {"augment.degrees": 6, "augment.scale": [0.94, 1.06], "augment.translate": 0.05, "augment.erasing": 0.0}
    ),
    "stronger augmentation": Change(
        {"augment.degrees": 20, "augment.scale": [0.8, 1.25], "augment.translate": 0.15, "augment.erasing": 0.25}
    ),
    "targets refined by votes, 0.5": Change({"refinement": 0.5}),
    "SupCon weight 1": Change({"losses.1.weight": 1.0}),
    "no SupCon": Change({"losses": WITHOUT_SUPCON}),
    "average 0.998": Change({"average": 0.998}),
    "average 0.9995": Change({"average": 0.9995}),
    "64 pixels": Change({"encoder.image_size": 64}),
    "deeper and narrower": Change(
        {"encoder.backbone": "resnet34", "encoder.backbone_args.channels": [24, 48, 96, 192]},
    ),
    "one label a photo": Change(faces=one_label_a_photo),
    "one face a photo": Change(faces=one_face_a_photo),
    "doubted labels left out": Change(faces=doubted_left_out),
    "doubted labels replaced": Change(faces=doubted_relabelled),
    "32 pixels, then 48": Change(callbacks=[CoarseFirst()]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="fer2013.csv, with fer2013new.csv beside it")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="NAME", help="changes or patterns of them")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--runs", type=Path, default=Path("runs/trials"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of trials.json and .md")
    options = parser.parse_args()
    chosen = [name for name in CHANGES if any(fnmatch(name, pattern) for pattern in options.only)]
    if not chosen:
        parser.error(f"no change is called so; there are {', '.join(CHANGES)}.")
    faces = fe.load_dataset(options.data)
    train, validation = half(faces.split("train")), faces.split("validation")
    for seed in options.seeds:
        for name in chosen:
            if (name, seed) not in {(row["change"], row["seed"]) for row in read(options.out)}:
                print(f"{name}, seed {seed}", flush=True)
                row = measure(name, seed, train, validation, options) | describe()
                # Another process may have measured others meanwhile.
                rows = [*read(options.out), row]
                write_json(options.out / "trials.json", {"rows": rows})
                write_text(options.out / "trials.md", document(rows))
    print(document(read(options.out)))


def read(out: Path) -> list[dict[str, Any]]:
    """What has been measured."""
    file = out / "trials.json"
    return json.loads(file.read_text(encoding="utf-8"))["rows"] if file.is_file() else []


def half(faces: fe.FaceDataset) -> fe.FaceDataset:
    """Half of the faces, all of a photo or none, with its share of every class."""
    folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    _, rows = next(folds.split(faces.labels, faces.labels, photo_groups(faces.hashes)))
    return faces.subset(np.sort(rows))


def measure(
    name: str, seed: int, train: fe.FaceDataset, validation: fe.FaceDataset, options: argparse.Namespace
) -> dict[str, Any]:
    """Train under one change, and judge."""
    change = CHANGES[name]
    recipe = fe.Recipe.named("small").override({"epochs": options.epochs, "seed": seed, **change.recipe})
    learnt = change.faces(train) if change.faces else train
    folder = f"{options.epochs}-epochs-{list(CHANGES).index(name)}-seed-{seed}"
    recognizer = fe.train(recipe, learnt, validation, options.runs / folder, callbacks=change.callbacks)
    answers = answer(recognizer, validation)
    names, figures = np.array(answers.classes)[answers.codes], {}
    for voter, proba in cross_fitted(recognizer, answers).items():
        for title, rows in (("all_images", slice(None)), ("without_copies", answers.fresh)):
            found = evaluate_probabilities(names[rows], proba[rows], answers.classes, resamples=0)
            figures.setdefault(title, {})[voter] = {
                each: getattr(found, each) for each in ("accuracy", "balanced_accuracy", "nll")
            }
    return {
        "change": name,
        "seed": seed,
        "epochs": options.epochs,
        "faces": len(learnt),
        "seconds": recognizer.info["seconds"],
        "recipe": dict(change.recipe),
        **figures,
    }


COLUMNS = (
    ("all_images", "softmax", "accuracy"),
    ("all_images", "knn", "accuracy"),
    ("all_images", "vote", "accuracy"),
    ("all_images", "vote", "balanced_accuracy"),
    ("without_copies", "knn", "accuracy"),
    ("without_copies", "vote", "accuracy"),
)


def document(rows: list[dict[str, Any]]) -> str:
    """The table: means over seeds, and how far each is from the base's of the same seeds."""
    base = {row["seed"]: row for row in rows if row["change"] == BASE}
    said = [
        "# Cheap trials: one change at a time",
        "",
        "The recipe `small` at a quarter of its epochs on half of Training, each photo whole "
        "(`python benchmarks/trials.py data/fer2013.csv`), judged on PublicTest, single look, cross-fitted; * without "
        "the images of which that half has a copy. Means over so many seeds, in percent; in brackets the change from "
        f"the recipe as it is, by the same seeds.{_noise(list(base.values()))}",
        "",
        "| change | seeds | softmax | k-NN | vote | balanced (vote) | k-NN* | vote* | NLL of the vote |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in CHANGES:
        found = [row for row in rows if row["change"] == name]
        if found:
            pairs = [(row, base[row["seed"]]) for row in found if row["seed"] in base and name != BASE]
            cells = [_cell(found, pairs, *column) for column in COLUMNS]
            nll = statistics.mean(row["all_images"]["vote"]["nll"] for row in found)
            said.append(f"| {name} | {len(found)} | {' | '.join(cells)} | {nll:.3f} |")
    return "\n".join([*said, ""])


def _cell(found: list[dict[str, Any]], pairs: list[tuple[dict[str, Any], dict[str, Any]]], *column: str) -> str:
    where, voter, figure = column
    mean = f"{100 * statistics.mean(row[where][voter][figure] for row in found):.1f}"
    if not pairs:
        return mean
    change = statistics.mean(row[where][voter][figure] - base[where][voter][figure] for row, base in pairs)
    return f"{mean} ({100 * change:+.1f})"


def _noise(rows: list[dict[str, Any]]) -> str:
    if len(rows) < 2:
        return ""
    spread = statistics.stdev(row["all_images"]["vote"]["accuracy"] for row in rows)
    return f" Between its {len(rows)} seeds the vote has a standard deviation of {100 * spread:.1f} points."


if __name__ == "__main__":
    keep_freed_memory()
    main()
