"""``ferembed evaluate``: the figures of a recogniser on one split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferembed.cli.options import Classes, DataAfterRun, Looks, RunOrNone, Split, faces_for, run_and_rest

Json = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file too.")]
Draws = Annotated[int, typer.Option("--resamples", min=0, help="Bootstrap draws for 95% intervals; 0: no intervals.")]


def command(
    first: RunOrNone = None,
    after: DataAfterRun = None,
    split: Split = "validation",
    classes: Classes = None,
    views: Looks = "single",
    resamples: Draws = 1000,
    json: Json = None,
) -> None:
    """Judge softmax, k-NN and the vote, class by class, and the embedding's retrieval, with 95% intervals."""
    from ferembed.cli.console import show
    from ferembed.cli.tables import evaluation_tables
    from ferembed.recognizer.shipped import load
    from ferembed.runs.assessment import evaluate
    from ferembed.storage import write_json

    run, (data,) = run_and_rest("evaluate", first, [] if after is None else [after])
    recognizer = load(run)
    faces = faces_for(recognizer.engine, data, classes).split(split)
    evaluation = evaluate(recognizer, faces, views=views, resamples=resamples)
    for table in evaluation_tables(evaluation):
        show(table)
    if json is not None:
        write_json(json, evaluation.to_dict())
