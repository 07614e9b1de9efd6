"""A recogniser's figures where no face calibrates what it is judged by: voters fitted to four fifths, asked the rest.

    python benchmarks/cross_fitted.py small data/fer2013.csv

``ferembed evaluate`` on the validation split judges voters by the faces that chose their k, fitted their calibration
and weighed their vote, which flatters. Here each fifth of the split is judged by voters that the other four made; the
epoch, chosen on the whole split when the run was trained, is all that they share.
"""

from __future__ import annotations

import argparse

import ferembed as fe
from ferembed.runs.assessment import answer
from ferembed.runs.cards import HEADINGS, cross_fitted_figures, figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a run's folder, an exported file or a shipped name")
    parser.add_argument("data", help="fer2013.csv")
    arguments = parser.parse_args()
    recognizer, faces = fe.load(arguments.run), fe.load_dataset(arguments.data).split("validation")
    print("| views | images | voter | " + " | ".join(HEADINGS) + " |\n|---|---|---|" + "---:|" * len(HEADINGS))
    for views in ("single", "flip"):
        for *said, metrics in cross_fitted_figures(recognizer, answer(recognizer, faces, views=views), views):
            print(f"| {' | '.join(said)} | {' | '.join(figures(metrics))} |", flush=True)


if __name__ == "__main__":
    main()
