"""``ferembed evaluate``: the figures of a recogniser on one split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferembed.cli.options import Data, Run

Split = Annotated[str, typer.Option("--split", help="train, validation or test.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file too.")]


def command(run: Run, data: Data, split: Split = "validation", json: Json = None) -> None:
    """Judge softmax, k-NN and the vote: accuracy, balanced accuracy, macro F1, NLL, ECE."""
    from ferembed.assessment import evaluate
    from ferembed.cli.tables import metrics_table, show
    from ferembed.data import load_dataset
    from ferembed.recognizer import Recognizer
    from ferembed.storage import write_json

    recognizer = Recognizer.load(run)
    evaluation = evaluate(recognizer, load_dataset(data).split(split))
    show(metrics_table(evaluation))
    if json is not None:
        write_json(json, evaluation.to_dict())
