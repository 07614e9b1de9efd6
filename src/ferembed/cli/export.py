"""``ferembed export``: a recogniser as one small file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferembed.cli.options import Run, unambiguous

File = Annotated[Path, typer.Argument(metavar="FILE", help="The safetensors file to write.", show_default=False)]


def command(run: Run, file: File) -> None:
    """Write a recogniser into one file of about a third of its size, which every other command reads as a RUN."""
    from ferembed.cli.tables import show
    from ferembed.recognizer.shipped import load

    load(unambiguous(run)).export(file)
    show(f"wrote {file}, {file.stat().st_size / 1e6:.1f} MB")
