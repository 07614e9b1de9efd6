"""``ferembed card``: what made a recogniser, what it can do, and what it is not for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferembed.cli.options import DataAfterRun, faces_for

Write = Annotated[
    Path | None,
    typer.Option("--write", metavar="RUN", help="Measure a run on DATA's validation split and write RUN/card.md."),
]


def command(data: DataAfterRun = None, write: Write = None) -> None:
    """Print the model card of the recognisers that ship, or write the card of a run."""
    if (write is None) != (data is None):
        raise typer.BadParameter("a run's card is written by `ferembed card --write RUN DATA`; `ferembed card` prints.")
    if write is not None and data is not None:
        _write(write, data)
        return
    from ferembed.recognizer.shipped import card

    print(card(), end="")


def _write(run: Path, data: str) -> None:
    from ferembed.cli.console import show
    from ferembed.recognizer import Recognizer
    from ferembed.runs.cards import card_text
    from ferembed.runs.pipeline import VOTING
    from ferembed.storage import write_text

    folders = [run, run / VOTING] if (run / VOTING).is_dir() else [run]
    recognizers = {str(folder): Recognizer.load(folder) for folder in folders}
    faces = faces_for(recognizers[str(run)].engine, data).split("validation")
    write_text(run / "card.md", card_text(run.name, recognizers, faces, data))
    show(f"wrote {run / 'card.md'}")
