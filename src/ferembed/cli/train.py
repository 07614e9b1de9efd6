"""``ferembed train``: from labelled faces to a saved recogniser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ferembed.cli.options import Classes, Data, faces_for

RecipeName = Annotated[str, typer.Option("--recipe", help="A name from `ferembed recipes`, or a YAML file.")]
Out = Annotated[Path, typer.Option("--out", help="Folder of the run; an unfinished run in it goes on.")]
Accelerator = Annotated[str, typer.Option(help="Where to compute, as Lightning names it: auto, cpu, gpu, mps.")]
Devices = Annotated[str, typer.Option(help="How many devices, their numbers (0,2), or auto for all.")]
Strategy = Annotated[str, typer.Option(help="How several devices work together, such as ddp.")]
Share = Annotated[
    float | None,
    typer.Option(
        "--validation",
        help="Share of train to hold out for validation, copies together, where there is no such split.",
    ),
]
Changes = Annotated[list[str] | None, typer.Option("--set", help="Change a field, such as optimizer.lr=0.05.")]


def command(
    data: Data,
    out: Out,
    recipe: RecipeName = "quick",
    changes: Changes = None,
    accelerator: Accelerator = "auto",
    devices: Devices = "1",
    strategy: Strategy = "auto",
    validation: Share = None,
    classes: Classes = None,
) -> None:
    """Train a recogniser on the train split; the validation split selects and calibrates."""
    from ferembed.auditing.copies.find import find_copies
    from ferembed.cli.console import show
    from ferembed.cli.tables import metrics_table
    from ferembed.runs.assessment import evaluate
    from ferembed.runs.pipeline import RUN, train
    from ferembed.training import Recipe
    from ferembed.training.distributed import is_first
    from ferembed.training.memory import keep_freed_memory

    keep_freed_memory()
    chosen = Recipe.named(recipe).override(changes or [])
    faces = faces_for(chosen.encoder, data, classes)
    if validation is not None:
        copies = find_copies(faces.split("train"))
        faces = faces.with_validation(validation, seed=chosen.seed, copies=copies)
    show(f"{faces}")
    held_out = faces.split("validation")
    finished = (out / RUN).is_file()
    where: dict[str, Any] = {"accelerator": accelerator, "devices": devices, "strategy": strategy}
    recognizer = train(chosen, faces.split("train"), held_out, out, **where)
    if not is_first():
        return
    if not finished:
        show(metrics_table(evaluate(recognizer, held_out)))
    show(f"saved in {out}; `ferembed predict {out} IMAGE` asks it.")
