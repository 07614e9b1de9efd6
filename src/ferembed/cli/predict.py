"""``ferembed predict``: label, probabilities and nearest training faces of images."""

from __future__ import annotations

from typing import Annotated

import typer

from ferembed.cli.options import RunOrNone, run_and_rest

Images = Annotated[
    list[str] | None,
    typer.Argument(metavar="IMAGE...", help="Image files, each one cropped face.", show_default=False),
]
Near = Annotated[int, typer.Option("--neighbors", min=0, help="Nearest training faces to show.")]


def command(first: RunOrNone = None, others: Images = None, neighbors: Near = 5) -> None:
    """Name the expression of each image, with the probability of every class and the nearest training faces."""
    from ferembed.cli.tables import prediction_table, show
    from ferembed.recognizer.shipped import load

    run, images = run_and_rest("predict", first, others or [])
    recognizer = load(run)
    probabilities = recognizer.predict_proba(images)
    near = recognizer.neighbors(images, k=neighbors) if neighbors else None
    for row, (image, values) in enumerate(zip(images, probabilities, strict=True)):
        nearest = None if near is None else [column[row] for column in near]
        show(prediction_table(image, recognizer.classes_, values, nearest))
