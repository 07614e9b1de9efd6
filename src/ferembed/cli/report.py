"""``ferembed report``: one HTML file with all there is to see of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferembed.cli.options import Copies, DataAfterRun, Looks, RunOrNone, Split, run_and_rest

Out = Annotated[Path, typer.Option("--out", help="The HTML file.")]


def command(
    first: RunOrNone = None,
    after: DataAfterRun = None,
    out: Out = Path("report.html"),
    split: Split = "validation",
    copies: Copies = False,
    views: Looks = "single",
) -> None:
    """Write figures, confusion matrix with its faces, calibration, retrieval, map and saliency to one HTML file."""
    from ferembed.auditing.copies import find_copies
    from ferembed.cli.tables import metrics_table, show
    from ferembed.data import load_dataset
    from ferembed.report import write_report

    run, (data,) = run_and_rest("report", first, [] if after is None else [after])
    faces = load_dataset(data)
    found = find_copies(faces) if copies else None
    show(metrics_table(write_report(run, faces, out, split=split, copies=found, views=views)))
    show(f"wrote {out}")
