"""``ferembed audit``: what to know of a data set before believing a score on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferembed.cli.options import Data

Run = Annotated[str | None, typer.Option("--run", help="A trained run, to doubt labels with.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for audit.json, audit.html and what is finished so far.")]


def command(data: Data, run: Run = None, out: Out = Path("audit")) -> None:
    """Find copies, blank and odd pictures, doubtful labels and imbalance."""
    from ferembed.auditing import audit
    from ferembed.cli.tables import show
    from ferembed.data import load_dataset

    recognizer = None
    if run is not None:
        from ferembed.shipped import load

        recognizer = load(run)
    report = audit(load_dataset(data), recognizer, out=out)
    for name, count in report.copies.counts().items():
        show(f"copies: {count:,} {name.replace('_', ' ')}")
    for kind, count in report.outliers.counts().items():
        show(f"outliers: {count:,} {kind}")
    if report.labels is not None:
        show(f"labels: {len(report.labels):,} doubted, {report.labels.estimated:,} estimated wrong")
    show(f"wrote {out / 'audit.json'}\nwrote {out / 'audit.html'}")
