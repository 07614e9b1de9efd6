"""What the commands print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ferembed.probability import most_probable
from ferembed.runs import figure_tables
from ferembed.runs.assessment import Comparison, Evaluation
from ferembed.runs.figure_tables import Cell, FigureTable
from ferembed.training import Recipe


def show(content: Any) -> None:
    """Print text or a table as it is, whatever brackets and colons names hold; 118 columns wide or more when piped."""
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    console.width = max(console.width, 118)
    console.print(content)


def metrics_table(evaluation: Evaluation) -> Table:
    """One row a figure, one column a voter, over all images and those without a copy in the gallery; 95% intervals."""
    views = "" if evaluation.views == "single" else f", {evaluation.views} views averaged"
    copies = f"{evaluation.copies} with a copy in the gallery ({evaluation.exact_copies} exact)"
    notes = [f"{evaluation.images} images{views}, {copies}", f"primary: {evaluation.primary}"]
    if evaluation.calibrated_here:
        notes.append("temperatures and vote weights were fitted on these images")
    voters = figure_tables.voters_table(evaluation)
    table = Table(title=voters.title, caption=f"{'; '.join(notes)}.\n{voters.caption}")
    table.add_column("figure", no_wrap=True)
    for group, voter, *_ in voters.rows:
        table.add_column("\n".join([*str(group).split(), str(voter)]), justify="right")
    for heading, *figures in list(zip(voters.headings, *voters.rows, strict=True))[2:]:
        table.add_row(heading, *(_shown(cell) for cell in figures))
    return table


def evaluation_tables(evaluation: Evaluation) -> list[Table]:
    """The figures of each voter, those of each class by the vote, and how the embedding retrieves."""
    classes = figure_tables.classes_table(evaluation.all_images["vote"], f"{evaluation.split}: each class by the vote")
    return [metrics_table(evaluation), _drawn(classes), _drawn(figure_tables.retrieval_table({"": evaluation}))]


def comparison_tables(comparison: Comparison, names: Sequence[str]) -> list[Table]:
    """Both systems, their differences and McNemar's test, then retrieval; without the intervals of either alone."""
    return [_drawn(table, intervals=False) for table in figure_tables.comparison_tables(comparison, names)]


def _drawn(figures: FigureTable, intervals: bool = True) -> Table:
    table = Table(title=figures.title or None, caption=figures.caption)
    for place, heading in enumerate(figures.headings):
        table.add_column(heading, justify="left" if place < figures.text else "right")
    for line in figures.lines:
        if figures.text > 1 and line[0]:
            table.add_section()
        table.add_row(*(_shown(cell, intervals) for cell in line))
    return table


def _shown(cell: str | Cell, intervals: bool = True) -> Text:
    if isinstance(cell, str):
        return Text(cell)
    return Text.assemble(cell.value, "\n", (cell.interval, "dim")) if intervals and cell.interval else Text(cell.value)


def prediction_table(
    image: str, classes: NDArray[Any], probabilities: NDArray[Any], nearest: Sequence[Any] | None
) -> Table:
    """Classes by falling probability; beside them the nearest training faces."""
    best = most_probable(probabilities[None])[0]
    order = sorted(range(len(classes)), key=lambda i: (i != best, -probabilities[i]))
    table = Table(title=Text.assemble(f"{image}: ", (str(classes[order[0]]), "bold")), title_justify="left")
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
