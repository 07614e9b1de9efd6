"""``ferembed report``: one HTML file with all there is to see of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferembed.cli.options import Classes, Copies, DataAfterRun, Looks, RunOrNone, Split, faces_for, run_and_rest

Out = Annotated[Path, typer.Option("--out", help="The HTML file.")]


def command(
    first: RunOrNone = None,
    after: DataAfterRun = None,
    out: Out = Path("report.html"),
    split: Split = "validation",
    classes: Classes = None,
    copies: Copies = None,
    views: Looks = "single",
) -> None:
    """Write figures, confusion matrix with its faces, calibration, retrieval, map and saliency to one HTML file."""
    from ferembed.cli.console import show
    from ferembed.cli.tables import metrics_table
    from ferembed.recognizer.shipped import load
    from ferembed.report import write_report

    run, (data,) = run_and_rest("report", first, [] if after is None else [after])
    faces = faces_for(load(run).engine, data, classes)
    show(metrics_table(write_report(run, faces, out, split=split, copies=copies, views=views)))
    show(f"wrote {out}")
