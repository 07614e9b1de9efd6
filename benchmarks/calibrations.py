"""Which calibration suits the voters: ``python benchmarks/calibrations.py data/fer2013.csv``.

Each is fitted to four fifths of what the shipped softmax head and k-NN say of PublicTest before any calibration, and
judged on the last; figures are means over several divisions. Beside the ECE of the joint curve stands what it would be
if labels were drawn from the curve's own probabilities.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

import numpy as np
from machine import describe
from sklearn.model_selection import StratifiedKFold

import ferembed as fe
from ferembed.estimators.calibration import CalibrationMethod, fit_calibration
from ferembed.evaluation import evaluate_probabilities
from ferembed.evaluation.calibration import expected_calibration_error
from ferembed.probability import Codes, Floats
from ferembed.runs.assessment import answer
from ferembed.storage import write_json, write_text

FIGURES = ("accuracy", "balanced_accuracy", "nll", "ece")
METHODS: tuple[CalibrationMethod | None, ...] = (None, *get_args(CalibrationMethod))
HEADS = {"softmax": "softmax head", "knn": "k-NN"}
DRAWS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="fer2013.csv")
    parser.add_argument("--divisions", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    recognizer = fe.load()
    faces = fe.load_dataset(arguments.data).split("validation").without_blank()
    answers, rows = answer(recognizer, faces), []
    for head in HEADS:
        said = recognizer.voters[head].estimator_.predict_proba(answers.embeddings)
        for method in METHODS:
            divisions = [unseen(method, said, answers.codes, seed) for seed in range(arguments.divisions)]
            found = [figures(proba, answers.codes, answers.classes) for proba in divisions]
            rows.append({"head": head, "method": method or "none"} | _means(found))
            if method == "joint_isotonic":
                rows[-1]["ece_if_true"] = float(np.mean([drawn_error(proba) for proba in divisions]))
    record = {"rows": rows, "divisions": arguments.divisions, **describe()}
    write_json(arguments.out / "calibrations.json", record)
    write_text(arguments.out / "calibrations.md", document(record))
    print(document(record))


def unseen(method: CalibrationMethod | None, said: Floats, codes: Codes, seed: int) -> Floats:
    """Probabilities (n, c) under a calibration that was fitted to other rows."""
    calibrated = np.empty(said.shape)
    for fitted, asked in StratifiedKFold(5, shuffle=True, random_state=seed).split(said, codes):
        calibrated[asked] = fit_calibration(method, said[fitted], codes[fitted])(said[asked])
    return calibrated


def figures(proba: Floats, codes: Codes, classes: tuple[str, ...]) -> dict[str, float]:
    metrics = evaluate_probabilities(np.array(classes)[codes], proba, classes, resamples=0)
    return {name: getattr(metrics, name) for name in FIGURES}


def drawn_error(proba: Floats) -> float:
    """The ECE in the mean of labels that are drawn from the probabilities (n, c) themselves."""
    rng, edges = np.random.default_rng(0), proba.cumsum(axis=1)
    draws = [(edges < rng.random((len(proba), 1))).sum(axis=1).clip(max=proba.shape[1] - 1) for _ in range(DRAWS)]
    return float(np.mean([expected_calibration_error(proba, drawn) for drawn in draws]))


def _means(found: list[dict[str, float]]) -> dict[str, Any]:
    return {name: float(np.mean([each[name] for each in found])) for name in FIGURES}


def document(record: dict[str, Any]) -> str:
    lines = [
        "# Calibrations of the voters",
        "",
        f"`{record['command']}`: what the shipped softmax head and k-NN say of PublicTest's images that are not blank, "
        "under calibrations that four fifths of them fitted for the last; means of "
        f"{record['divisions']} divisions. Accuracies in percent. In brackets the ECE in the mean of labels drawn from "
        "the probabilities themselves, below which no calibration can be told from a perfect one.",
        "",
        "| head | calibration | accuracy | balanced | NLL | ECE |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for row in record["rows"]:
        least = f" ({row['ece_if_true']:.3f})" if "ece_if_true" in row else ""
        lines.append(
            f"| {HEADS[row['head']]} | {row['method']} | {100 * row['accuracy']:.1f} | "
            f"{100 * row['balanced_accuracy']:.1f} | {row['nll']:.3f} | {row['ece']:.3f}{least} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
