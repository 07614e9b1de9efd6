"""``ferembed predict``: label, probabilities and nearest training faces of images."""

from __future__ import annotations

from typing import Annotated

import typer

from ferembed.cli.options import Run

Images = Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Image files, each one cropped face.")]
Near = Annotated[int, typer.Option("--neighbors", min=0, help="Nearest training faces to show.")]


def command(run: Run, images: Images, neighbors: Near = 5) -> None:
    """Name the expression of each image, with the probability of every class and the nearest training faces."""
    from ferembed.cli.tables import prediction_table, show
    from ferembed.shipped import load

    recognizer = load(run)
    probabilities = recognizer.predict_proba(images)
    near = recognizer.neighbors(images, k=neighbors) if neighbors else None
    for row, (image, values) in enumerate(zip(images, probabilities, strict=True)):
        nearest = None if near is None else [column[row] for column in near]
        show(prediction_table(image, recognizer.classes_, values, nearest))
