"""Arguments that several commands share."""

from __future__ import annotations

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
RUN_HELP = "Folder that `ferembed train` wrote, exported file, or the name of a shipped recogniser, such as small."
Run = Annotated[str, typer.Argument(metavar="RUN", help=RUN_HELP, show_default=False)]
Split = Annotated[str, typer.Option("--split", help="train, validation or test.")]
Looks = Annotated[
    Literal["single", "flip", "ten_crop"], typer.Option("--views", help="Looks at each face that are averaged.")
]
Copies = Annotated[
    bool, typer.Option("--copies", help="Search all splits for near copies too: a minute or two for FER2013.")
]
