"""``ferembed compare``: what tells two runs apart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferembed.cli.options import Classes, Copies, Data, Looks, Split, faces_for, unambiguous

First = Annotated[str, typer.Argument(metavar="RUN_A", help="Folder of the first run.", show_default=False)]
Second = Annotated[str, typer.Argument(metavar="RUN_B", help="Folder of the second run.", show_default=False)]
Out = Annotated[Path | None, typer.Option("--out", help="Write figures, pictures and faces to this HTML file.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file too.")]


def command(
    first: First,
    second: Second,
    data: Data,
    out: Out = None,
    split: Split = "validation",
    classes: Classes = None,
    copies: Copies = None,
    views: Looks = "single",
    json: Json = None,
) -> None:
    """Judge two runs on the same faces: differences of all figures, McNemar's test, and the faces they disagree on."""
    from ferembed.cli.console import show
    from ferembed.cli.tables import comparison_tables
    from ferembed.recognizer.shipped import load
    from ferembed.runs.assessment import compare
    from ferembed.storage import write_json

    first, second = unambiguous(first), unambiguous(second)
    if copies and out is None:
        raise typer.BadParameter("--copies shows copies on a page: name its file with --out.")
    recognizers = load(first), load(second)
    faces = faces_for(recognizers[0].engine, data, classes)
    if out is not None:
        from ferembed.report import write_comparison

        comparison = write_comparison(first, second, faces, out, split=split, copies=copies, views=views)
    else:
        comparison = compare(*recognizers, faces.split(split), views=views)
    for table in comparison_tables(comparison, [str(first), str(second)]):
        show(table)
    if out is not None:
        show(f"wrote {out}")
    if json is not None:
        write_json(json, comparison.to_dict())
