"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="fer2013.csv, a manifest (CSV or Parquet), a folder of SPLIT/LABEL/images, or `drawn` for drawn faces.",
        show_default=False,
    ),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `ferembed train` wrote.", show_default=False)]
Split = Annotated[str, typer.Option("--split", help="train, validation or test.")]
Looks = Annotated[
    Literal["single", "flip", "ten_crop"], typer.Option("--views", help="Looks at each face that are averaged.")
]
