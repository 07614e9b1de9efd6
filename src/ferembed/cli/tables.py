"""What the commands print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ferembed.runs import figure_tables
from ferembed.runs.assessment import Comparison, Evaluation
from ferembed.runs.figure_tables import Cell, FigureTable

if TYPE_CHECKING:
    from ferembed.training import Recipe


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


def recipes_table(recipes: Mapping[str, Recipe]) -> Table:
    """One row a recipe."""
    table = Table()
    for heading in ("recipe", "what for", "backbone", "losses", "epochs"):
        table.add_column(heading)
    for name, recipe in recipes.items():
        losses = " + ".join(f"{loss.weight:g} {loss.name}" if loss.weight != 1 else loss.name for loss in recipe.losses)
        table.add_row(name, recipe.description, recipe.encoder.backbone, losses, str(recipe.epochs))
    return table
