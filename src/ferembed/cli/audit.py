"""``ferembed audit``: what to know of a data set before believing a score on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferembed.cli.options import DEFAULT, Classes, Data, faces_for, unambiguous

if TYPE_CHECKING:
    from ferembed.data import FaceDataset
    from ferembed.recognizer import Recognizer

Run = Annotated[
    str | None,
    typer.Option("--run", help=f"A trained run, to doubt labels with; without one, {DEFAULT} where its classes fit."),
]
Out = Annotated[
    Path, typer.Option("--out", help="Folder for audit.json, audit.html, CSV tables and what is finished so far.")
]


def command(data: Data, run: Run = None, out: Out = Path("audit"), classes: Classes = None) -> None:
    """Find copies, blank and odd pictures, doubtful labels and imbalance."""
    from ferembed.auditing import audit
    from ferembed.cli.console import show
    from ferembed.evaluation.wording import COLLAPSED
    from ferembed.recognizer.shipped import load

    recognizer = load(DEFAULT if run is None else unambiguous(run))
    faces = faces_for(recognizer.engine, data, classes)
    unfit = _why_unfit(recognizer, faces) if run is None else ""
    report = audit(faces, None if unfit else recognizer, out=out)
    for name, count in report.copies.counts().items():
        show(f"copies: {count:,} {name.replace('_', ' ')}")
    for kind, count in report.outliers.counts().items():
        show(f"outliers: {count:,} {kind}")
    if report.labels is None:
        show(f"labels: left unjudged. {COLLAPSED}" if report.collapsed else f"labels: left unjudged, since {unfit}.")
    else:
        show(f"labels: {len(report.labels):,} doubted; slips are estimated at {report.labels.estimated:,}")
        if report.labels.unjudged:
            show(f"labels: of too few faces to be judged: {', '.join(report.labels.unjudged)}")
        if report.labels.learnt:
            show(f"labels: {report.labels.learnt}")
    tables = ", ".join(sorted(path.name for path in out.glob("*.csv")))
    show(f"wrote {out / 'audit.json'}\nwrote {out / 'audit.html'}\nwrote {tables} in {out}")


def _why_unfit(shipped: Recognizer, faces: FaceDataset) -> str:
    """Why the recogniser that ships, for which nobody asked, is not to doubt these labels; empty where it is."""
    from ferembed.labels import canonical

    known = shipped.classes_.tolist()
    if set(map(canonical, known)) != set(map(canonical, faces.classes)):
        return f"{DEFAULT} knows other classes ({', '.join(known)}): name a run that knows these with --run"
    if sum(count > 1 for count in faces.class_counts().values()) < 2:
        return "to doubt them takes two classes at least and two faces of each"
    return ""
