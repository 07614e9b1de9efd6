"""What the commands print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ferembed.assessment import Evaluation
from ferembed.training import Recipe

_COLUMNS = {
    "accuracy": "accuracy",
    "balanced accuracy": "balanced_accuracy",
    "macro F1": "macro_f1",
    "NLL": "nll",
    "Brier": "brier",
    "ECE": "ece",
}
_PERCENT = {"accuracy", "balanced_accuracy", "macro_f1"}
_VOTERS = {"softmax": "softmax", "knn": "k-NN", "vote": "vote"}


def show(content: Any) -> None:
    """Print text or a table; never narrower than 100 columns, so that piped tables keep their shape."""
    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, 100)
    console.print(content)


def metrics_table(evaluation: Evaluation) -> Table:
    """One row a voter, for all images and for those without an exact copy in the gallery."""
    notes = [f"{evaluation.images} images, {evaluation.copies} with an exact copy in the gallery"]
    if evaluation.calibrated_here:
        notes.append("temperatures and vote weights were fitted on this very split")
    table = Table(title=f"{evaluation.split}", caption="; ".join(notes))
    table.add_column("images")
    table.add_column("voter")
    for heading in _COLUMNS:
        table.add_column(heading, justify="right")
    for heading, group in {"all": evaluation.all_images, "without copies": evaluation.without_copies}.items():
        for i, (name, metrics) in enumerate(group.items()):
            values = [_cell(field, getattr(metrics, field)) for field in _COLUMNS.values()]
            table.add_row("" if i else heading, _VOTERS.get(name, name), *values, end_section=i == len(group) - 1)
    return table


def prediction_table(
    image: str, classes: NDArray[Any], probabilities: NDArray[Any], nearest: Sequence[Any] | None
) -> Table:
    """Classes by falling probability; beside them the nearest training faces."""
    order = sorted(range(len(classes)), key=lambda i: -probabilities[i])
    table = Table(title=f"{image}: [bold]{classes[order[0]]}[/bold]", title_justify="left")
    table.add_column("class")
    table.add_column("probability", justify="right")
    near: list[str] = []
    if nearest is not None:
        table.add_column("nearest training faces")
        near = [f"row {i}  {label}  (cosine {s:.3f})" for s, label, i in zip(*nearest, strict=True)]
    for line in range(max(len(order), len(near))):
        cells = [str(classes[order[line]]), f"{probabilities[order[line]]:.1%}"] if line < len(order) else ["", ""]
        table.add_row(*cells, *([near[line] if line < len(near) else ""] if nearest is not None else []))
    return table


def recipes_table(recipes: Mapping[str, Recipe]) -> Table:
    """One row a recipe."""
    table = Table()
    for heading in ("recipe", "what for", "backbone", "losses", "epochs"):
        table.add_column(heading)
    for name, recipe in recipes.items():
        losses = " + ".join(f"{loss.weight:g} {loss.name}" if loss.weight != 1 else loss.name for loss in recipe.losses)
        table.add_row(name, recipe.description, recipe.encoder.backbone, losses, str(recipe.epochs))
    return table


def _cell(field: str, value: float) -> str:
    return f"{value:.1%}" if field in _PERCENT else f"{value:.3f}"
