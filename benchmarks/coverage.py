"""How often the 95% intervals that are printed hold the truth, where it is known: python benchmarks/coverage.py.

A world draws seven classes, as unequal as FER2013's, and for each row the true probabilities of its class, by which a
label is drawn. Four systems answer: ``calibrated`` says these probabilities; ``sharpened`` and ``flattened`` raise them
to a power of 1.5 and 0.7; ``half blind`` says the classes' frequencies for half of the rows, chosen by chance, which is
calibrated, too. What their figures are in truth is measured once, on half a million rows.

Beside the intervals that are printed stand two that are not: those of the expected calibration error by the bootstrap,
lowered by the mean excess of the resamples over the figure, and of its difference.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from machine import describe
from numpy.typing import NDArray

from ferembed.evaluation import Interval, compare_probabilities, evaluate_probabilities, expected_calibration_error
from ferembed.evaluation.bootstrap import interval, resampled_means
from ferembed.evaluation.calibration import binned
from ferembed.probability import most_probable
from ferembed.storage import write_json, write_text

Floats = NDArray[np.float64]
CLASSES = ["neutral", "happy", "sad", "angry", "fear", "surprise", "disgust"]
SHARPNESS = {"76% right": (3.5, np.array([0, 1, 0, -0.5, -0.5, -1, -5.0])), "93% right": (14.0, np.zeros(7))}
SIZES = (300, 3500)
TRUTH_ROWS = 500_000
FIGURES = ("accuracy", "top2_accuracy", "balanced_accuracy", "macro_f1", "auroc", "nll", "brier", "squared_ce")
BY_CLASS = ("recall", "precision", "f1", "auroc")
NOT_PRINTED = "ECE by bootstrap (not printed)"


class Checked(NamedTuple):
    """An interval of one drawing, and the truth it should hold."""

    systems: str
    figure: str
    bounds: Interval | None
    truth: float


class World:
    """Rows with known probabilities."""

    def __init__(self, sharpness: float, offsets: Floats) -> None:
        self._sharpness, self._offsets = sharpness, offsets
        rng = np.random.default_rng(0)
        self._frequencies = self._true(rng, TRUTH_ROWS).mean(axis=0)
        codes, said = self.draw(rng, TRUTH_ROWS)
        self.truth = {system: evaluate_probabilities(codes, proba, range(7)) for system, proba in said.items()}

    def draw(self, rng: np.random.Generator, n: int) -> tuple[NDArray[np.int64], dict[str, Floats]]:
        """Labels (n,), and what each system says (n, 7)."""
        true = self._true(rng, n)
        codes = np.minimum((true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1), 6)
        powers = {"calibrated": true, "sharpened": true**1.5, "flattened": true**0.7}
        said = {name: each / each.sum(axis=1, keepdims=True) for name, each in powers.items()}
        return codes, {**said, "half blind": np.where(rng.random((n, 1)) < 0.5, self._frequencies, true)}

    def _true(self, rng: np.random.Generator, n: int) -> Floats:
        scores = np.exp(self._sharpness * rng.normal(size=(n, 7)) + self._offsets)
        true: Floats = scores / scores.sum(axis=1, keepdims=True)
        return true

    def checked(self, seed: int, n: int, resamples: int) -> Iterator[Checked]:
        """Every interval of one drawing: of each system alone, and of each other one less the calibrated."""
        codes, said = self.draw(np.random.default_rng([n, seed]), n)
        eces = {system: ece_by_resample(proba, codes, resamples) for system, proba in said.items()}
        for system in list(said)[1:]:
            pair = compare_probabilities(codes, said["calibrated"], said[system], range(7), resamples=resamples)
            one, two = self.truth["calibrated"], self.truth[system]
            together = f"{system} less calibrated"
            for figure in FIGURES:
                gap = getattr(two, figure) - getattr(one, figure)
                yield Checked(together, figure, pair.differences[figure].interval, gap)
                yield Checked(system, figure, pair.second.intervals.get(figure), getattr(two, figure))
            for label, each in pair.second.per_class.items():
                for figure in BY_CLASS:
                    truth = getattr(two.per_class[label], figure)
                    yield Checked(system, f"{figure} of a class", each.intervals.get(figure), truth)
            excess = eces[system].mean() - pair.second.ece
            yield Checked(system, NOT_PRINTED, interval(np.maximum(eces[system] - excess, 0.0)), two.ece)
            yield Checked(together, NOT_PRINTED, interval(eces[system] - eces["calibrated"]), two.ece - one.ece)
        for figure in FIGURES:
            yield Checked("calibrated", figure, pair.first.intervals.get(figure), getattr(one, figure))


def ece_by_resample(proba: Floats, codes: NDArray[np.int64], resamples: int) -> Floats:
    """The expected calibration error of rows drawn again."""
    sure, right = proba.max(axis=1), most_probable(proba) == codes
    gaps = np.eye(15)[binned(sure, 15, "width")[1]] * (sure - right)[:, None]
    assert np.isclose(np.abs(gaps.mean(axis=0)).sum(), expected_calibration_error(proba, codes))
    errors: Floats = np.abs(resampled_means(gaps, resamples)).sum(axis=1)
    return errors


def coverage(world: World, n: int, repetitions: int, resamples: int) -> dict[str, dict[str, float | None]]:
    """By systems and figure the share of intervals that hold the truth; None where there was none."""
    kept: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for seed in range(repetitions):
        for each in world.checked(seed, n, resamples):
            held = kept[each.systems][each.figure]
            if each.bounds is not None:
                held.append(bool(each.bounds.low <= each.truth <= each.bounds.high))
    return {
        systems: {figure: float(np.mean(held)) if held else None for figure, held in figures.items()}
        for systems, figures in kept.items()
    }


def table(result: dict[str, Any]) -> str:
    machine, worlds = result["machine"], result["worlds"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    text = f"""# Coverage

`{machine["command"]}`, {machine["processor"]}, {versions}; {result["seconds"]:.0f} s of the processor.

Of 95% intervals the percentage that holds the truth, over {result["repetitions"]} drawings: the least and the most over
the systems, which the head of the script describes. Chance alone moves such a percentage by some 3 points. Of a class:
over all seven classes. {result["resamples"]} resamples; 1,000 where figures are printed.
"""
    systems = list(next(iter(worlds.values())))
    for title, chosen in (
        ("One system", [name for name in systems if " less " not in name]),
        ("Two systems: the difference", [name for name in systems if " less " in name]),
    ):
        text += f"\n## {title}\n\n| figure | {' | '.join(worlds)} |\n|---|{'---:|' * len(worlds)}\n"
        figures = dict.fromkeys(figure for name in chosen for figure in next(iter(worlds.values()))[name])
        for figure in figures:
            cells = []
            for world in worlds.values():
                shares = [share for name in chosen if (share := world[name].get(figure)) is not None]
                cells.append(f"{100 * min(shares):.0f} to {100 * max(shares):.0f}" if shares else "-")
            text += f"| {figure} | {' | '.join(cells)} |\n"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--resamples", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder for coverage.json and .md")
    options = parser.parse_args()
    start, worlds = time.process_time(), {}
    for name, (sharpness, offsets) in SHARPNESS.items():
        world = World(sharpness, offsets)
        for n in SIZES:
            worlds[f"{name}, n = {n:,}"] = coverage(world, n, options.repetitions, options.resamples)
            print(name, n, f"{time.process_time() - start:.0f} s", flush=True)
    result = {
        "machine": describe(),
        "seconds": time.process_time() - start,
        "repetitions": options.repetitions,
        "resamples": options.resamples,
        "worlds": worlds,
    }
    write_json(options.out / "coverage.json", result)
    write_text(options.out / "coverage.md", table(result))
    print(table(result))


if __name__ == "__main__":
    main()
