"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
