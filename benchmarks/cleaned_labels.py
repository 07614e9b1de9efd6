"""What cleaner training labels are worth to a finished network: ``python benchmarks/cleaned_labels.py [small] [DATA]``.

The encoder stays; its gallery and a softmax head on its embeddings are made anew of FER2013's Training

* without the labels that the audit's softmax regressions, fitted without the photo, give less than a probability,
* with such labels replaced by the likeliest,
* with one label a photo: its copies, of which Training has several thousand, say what most of them say,
* with one face a photo,
* with the faces of one photo weighing as much as one face.

Judged on PublicTest without its blank image, all images and those without a copy in Training. Nothing is selected: the
100 nearest vote at a temperature of 0.05, and the softmax head answers as it is fitted.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe
from numpy.typing import NDArray

import ferembed as fe
from ferembed.auditing.labels import out_of_fold_softmax
from ferembed.data.known import near_copies, photo_groups
from ferembed.evaluation import compare_probabilities
from ferembed.storage import write_json, write_text

RESULTS = Path(__file__).parent / "results"
DOUBT = (0.05, 0.1, 0.2)
K, TEMPERATURE = 100, 0.05

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Labels:
    """Which training faces are kept, what they are called and what they weigh."""

    said: str
    rows: Codes
    codes: Codes
    weights: NDArray[np.float64] | None = None


def cleaned(given: Codes, believed: NDArray[np.float64], photos: Codes) -> Iterator[Labels]:
    """Every way to clean labels (n,), by what is believed of each face (n, c) and the photo it shows (n,)."""
    every, own = np.arange(len(given)), believed[np.arange(len(given)), given]
    yield Labels("as they are", every, given)
    for least in DOUBT:
        sure = own >= least
        share = f"({np.mean(~sure):.1%})"
        yield Labels(f"doubted below {least} {share} left out", every[sure], given[sure])
        yield Labels(f"doubted below {least} {share} relabelled", every, np.where(sure, given, believed.argmax(axis=1)))
    agreed = most_frequent(given, photos)
    first = np.unique(photos, return_index=True)[1]
    copies = np.unique(photos, return_inverse=True, return_counts=True)
    yield Labels(f"one label a photo ({np.sum(agreed != given):,} changed)", every, agreed)
    yield Labels(f"one face a photo ({len(given) - len(first):,} left out)", first, agreed[first])
    yield Labels("faces of a photo weigh as one", every, given, 1 / copies[2][copies[1]])


def most_frequent(given: Codes, photos: Codes) -> Codes:
    """The label that most faces of a photo have; of equally frequent ones the face's own."""
    shown = np.unique(photos, return_inverse=True)[1]
    counts = np.zeros((shown.max() + 1, given.max() + 1))
    np.add.at(counts, (shown, given), 1)
    counts = counts[shown]
    counts[np.arange(len(given)), given] += 0.5
    found: Codes = counts.argmax(axis=1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", default="small", help="a run's folder, an exported file or a shipped name")
    parser.add_argument("data", nargs="?", default="data/fer2013.csv")
    arguments = parser.parse_args()
    recognizer, faces = fe.load(arguments.run), fe.load_dataset(arguments.data)
    train, judged = (faces.split(name).without_blank() for name in ("train", "validation"))
    photos, vectors, asked = photo_groups(train.hashes), *(recognizer.encode(each.images) for each in (train, judged))
    believed = out_of_fold_softmax(vectors, train.labels, len(train.classes), groups=photos)
    fresh = ~(np.isin(judged.pixel_hashes, train.pixel_hashes) | near_copies(judged.hashes, train.hashes))
    names, base, rows = np.array(judged.classes)[judged.labels], {}, []
    for labels in cleaned(train.labels, believed, photos):
        for head, proba in answers(labels, vectors, asked).items():
            before = base.setdefault(head, proba)
            compared = {
                title: compare_probabilities(names[of], before[of], proba[of], judged.classes, resamples=1)
                for title, of in {"all_images": np.arange(len(names)), "without_copies": np.flatnonzero(fresh)}.items()
            }
            rows.append(
                {"labels": labels.said, "head": head} | {name: figures(each) for name, each in compared.items()}
            )
    write_json(RESULTS / "cleaned_labels.json", {"rows": rows, "run": arguments.run, **describe()})
    write_text(RESULTS / "cleaned_labels.md", document(rows, arguments.run))
    print(document(rows, arguments.run))


def answers(labels: Labels, vectors: NDArray[Any], asked: NDArray[Any]) -> dict[str, NDArray[Any]]:
    gallery, codes, weights = vectors[labels.rows], labels.codes, labels.weights
    return {
        "k-NN": fe.KNNClassifier(K, temperature=TEMPERATURE)
        .fit(gallery, codes, sample_weight=weights)
        .predict_proba(asked),
        "softmax": fe.SoftmaxHead().fit(gallery, codes, sample_weight=weights).predict_proba(asked),
    }


def figures(compared: Any) -> dict[str, Any]:
    change = compared.differences["accuracy"]
    return {
        "accuracy": compared.second.accuracy,
        "change": change.difference,
        "interval": change.interval,
        "balanced_accuracy": compared.second.balanced_accuracy,
    }


def document(rows: list[dict[str, Any]], run: str) -> str:
    lines = [
        "# Cleaner labels without training",
        "",
        f"The encoder of `{run}`; its gallery and softmax head made anew of FER2013's Training with other labels, "
        f"judged on PublicTest: {K} neighbours at a temperature of {TEMPERATURE}, no calibration. "
        "`python benchmarks/cleaned_labels.py` says how labels are doubted. In percent, with the change of the "
        "accuracy and its 95% interval over the images; * are the images without a copy in Training.",
        "",
        "| labels of Training | head | accuracy | balanced | accuracy* | balanced* |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for place, row in enumerate(rows):
        values = [value for where in ("all_images", "without_copies") for value in cells(row[where], first=place < 2)]
        lines.append(f"| {row['labels']} | {row['head']} | {' | '.join(values)} |")
    return "\n".join([*lines, ""])


def cells(found: dict[str, Any], *, first: bool) -> tuple[str, str]:
    low, high = (100 * end for end in found["interval"])
    change = "" if first else f" ({100 * found['change']:+.1f} [{low:+.1f}, {high:+.1f}])"
    return f"{100 * found['accuracy']:.1f}{change}", f"{100 * found['balanced_accuracy']:.1f}"


if __name__ == "__main__":
    main()
