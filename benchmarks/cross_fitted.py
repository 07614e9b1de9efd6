"""A recogniser's figures where no face calibrates what it is judged by: voters fitted to four fifths, asked the rest.

    python benchmarks/cross_fitted.py small data/fer2013.csv
    python benchmarks/cross_fitted.py small data/fer2013.csv --folds 2 --divisions 10

``ferembed evaluate`` on the validation split judges voters by the faces that chose their k, fitted their calibration
and weighed their vote, which flatters. Here each fifth of the split is judged by voters that the other four made; the
epoch, chosen on the whole split when the run was trained, is all that they share. Of several divisions, drawn anew, the
figures are means.
"""

from __future__ import annotations

import argparse
from statistics import mean
from types import SimpleNamespace

import ferembed as fe
from ferembed.runs.assessment import FOLDS, answer
from ferembed.runs.cards import FIGURES, HEADINGS, cross_fitted_figures, figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a run's folder, an exported file or a shipped name")
    parser.add_argument("data", help="fer2013.csv")
    parser.add_argument("--folds", type=int, default=FOLDS, help="parts of a division")
    parser.add_argument("--divisions", type=int, default=1)
    arguments = parser.parse_args()
    recognizer, faces = fe.load(arguments.run), fe.load_dataset(arguments.data).split("validation")
    print("| views | images | voter | " + " | ".join(HEADINGS) + " |\n|---|---|---|" + "---:|" * len(HEADINGS))
    for views in ("single", "flip"):
        answers = answer(recognizer, faces, views=views)
        divisions = (
            cross_fitted_figures(recognizer, answers, views, folds=arguments.folds, seed=seed)
            for seed in range(arguments.divisions)
        )
        for rows in zip(*divisions, strict=True):
            *said, _ = rows[0]
            means = {name: mean(getattr(metrics, name) for *_, metrics in rows) for name in FIGURES}
            print(f"| {' | '.join(said)} | {' | '.join(figures(SimpleNamespace(**means)))} |", flush=True)


if __name__ == "__main__":
    main()
