"""Siamese pairs against mining within the batch, on FER2013: python benchmarks/siamese.py data/fer2013.csv.

One small encoder, one seed, equally many images seen, each loss alone. The best epoch and all figures are PublicTest's:
read them against each other, not as results of a test. A run that was cut off goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
from machine import describe

import ferembed as fe
from ferembed.storage import write_json, write_text

BALANCED = {"kind": "class_balanced", "classes_per_batch": 7, "images_per_class": 9}
SYSTEMS: dict[str, dict[str, Any]] = {
    "Siamese pairs, contrastive": {"losses": ["contrastive"], "batches.kind": "pairs"},
    "Siamese pairs, half of the negatives hard": {
        "losses": ["contrastive"],
        "batches.kind": "pairs",
        "batches.hard_share": 0.5,
    },
    "all pairs in the batch, contrastive": {"losses": [{"name": "contrastive", "pairs": "batch"}], "batches": BALANCED},
    "semi-hard triplets in the batch": {"losses": [{"name": "triplet", "miner": "semihard"}], "batches": BALANCED},
    "supervised contrastive in the batch": {"losses": [{"name": "supcon"}], "batches": BALANCED},
    "cross-entropy alone": {"losses": [{"name": "cross_entropy", "label_smoothing": 0.1}]},
}
READING = (
    "A batch of 64 images holds 32 Siamese pairs; compared with each other the same images make 2,016. In so short a "
    "run that decides: pairs alone, and semi-hard triplets, are hardly past the 24.9% that naming every face happy "
    "gives, while all pairs in the batch and SupCon have learnt much. Hard negatives do not help an embedding that "
    "separates nothing yet. Cross-entropy learns fastest, which is why the shipped recipes sum it with a metric loss. "
    "Longer runs may order the losses otherwise."
)
FIGURES = ("knn_accuracy", "recall_at_1", "map_at_r", "spread", "active_triplets")


def measure(recipe: fe.Recipe, faces: fe.FaceDataset, out: Path) -> dict[str, Any]:
    recognizer = fe.train(recipe, faces.split("train"), faces.split("validation"), out)
    log = pd.concat(pd.read_csv(file) for file in sorted(out.glob("logs/csv/metrics*.csv")))
    best = log.loc[log["validation/knn_accuracy"].idxmax()] if len(log) else {}
    knn = fe.evaluate(recognizer, faces.split("validation")).all_images["knn"]
    return {
        "seconds": recognizer.info["seconds"],
        "epoch": int(best["epoch"]) + 1,
        **{name: round(float(best[f"validation/{name}"]), 4) for name in FIGURES},
        "calibrated_knn_accuracy": round(float(knn.accuracy), 4),
        "calibrated_knn_balanced_accuracy": round(float(knn.balanced_accuracy), 4),
    }


def table(result: dict[str, Any]) -> str:
    lines = [
        "# Siamese pairs against mining within the batch",
        "",
        f"`{result['command']}`: the encoder of `quick`, {result['epochs']} epochs of each, one seed, each loss alone, "
        f"{result['cpus']} CPUs ({result['processor']}). PublicTest selected the epoch and is what is shown.",
        "",
        "| learnt from | k-NN accuracy | balanced | R@1 | MAP@R | variance | active triplets | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in result["systems"].items():
        lines.append(
            f"| {name} | {row['calibrated_knn_accuracy']:.1%} | {row['calibrated_knn_balanced_accuracy']:.1%} | "
            f"{row['recall_at_1']:.1%} | {row['map_at_r']:.1%} | {row['spread']:.3f} | {row['active_triplets']:.0%} | "
            f"{row['seconds'] / 60:.1f} |"
        )
    return "\n".join([*lines, "", READING]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="fer2013.csv, or drawn")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--runs", type=Path, default=Path("runs/siamese"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder for siamese.json and .md")
    options = parser.parse_args()
    faces = fe.load_dataset(options.data)
    result = describe() | {"epochs": options.epochs, "systems": {}}
    for number, (name, changes) in enumerate(SYSTEMS.items()):
        print(name, flush=True)
        recipe = fe.Recipe.named("quick").override({"epochs": options.epochs, **changes})
        result["systems"][name] = measure(recipe, faces, options.runs / f"{options.epochs}-epochs-{number}")
        write_json(options.out / "siamese.json", result)
        write_text(options.out / "siamese.md", table(result))
    print(table(result))


if __name__ == "__main__":
    main()
