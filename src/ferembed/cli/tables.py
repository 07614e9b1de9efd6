"""What the commands print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ferembed.evaluation import PairedMetrics, PairedRetrieval
from ferembed.evaluation.wording import (
    CALIBRATION,
    CLASS_FIGURES,
    COLLAPSED,
    FIGURES,
    RETRIEVAL_FIGURES,
    voter_name,
    written,
    written_gap,
    written_interval,
)
from ferembed.probability import most_probable
from ferembed.runs.assessment import Comparison, Evaluation
from ferembed.training import Recipe

Judged = TypeVar("Judged")


def show(content: Any) -> None:
    """Print text or a table as it is, whatever brackets and colons names hold; 118 columns wide or more when piped."""
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    console.width = max(console.width, 118)
    console.print(content)


def metrics_table(evaluation: Evaluation) -> Table:
    """One row a figure, one column a voter, over all images and those without a copy in the gallery; 95% intervals."""
    views = "" if evaluation.views == "single" else f", {evaluation.views} views averaged"
    copies = f"{evaluation.copies} with a copy in the gallery ({evaluation.exact_copies} exact)"
    notes = [f"{evaluation.images} images{views}, {copies}"]
    notes.append(f"primary: {evaluation.primary}")
    if evaluation.calibrated_here:
        notes.append("temperatures and vote weights were fitted on these images")
    table = Table(title=f"{evaluation.split}", caption=f"{'; '.join(notes)}.\n{CALIBRATION}")
    table.add_column("figure", no_wrap=True)
    judged = []
    for group, voters in _groups(evaluation.copies, evaluation.all_images, evaluation.without_copies):
        for name, metrics in voters.items():
            table.add_column("\n".join([*group.split(), voter_name(name)]), justify="right")
            judged.append(metrics)
    for field, heading in FIGURES.items():
        table.add_row(heading, *(_with_interval(metrics, field) for metrics in judged))
    return table


def classes_table(evaluation: Evaluation, voter: str = "vote") -> Table:
    """One row a class, over all images; 95% intervals beneath."""
    table = Table(title=f"{evaluation.split}: each class by the {voter_name(voter)}")
    table.add_column("class")
    for heading in (*CLASS_FIGURES.values(), "images"):
        table.add_column(heading, justify="right")
    for name, metrics in evaluation.all_images[voter].per_class.items():
        cells = [_with_interval(metrics, field) for field in CLASS_FIGURES]
        table.add_row(name, *cells, f"{metrics.support:,}")
    return table


def retrieval_table(evaluation: Evaluation) -> Table:
    """How the embedding retrieves faces of one expression; 95% intervals beneath, and whether it has collapsed."""
    caption = COLLAPSED if evaluation.retrieval.collapsed else None
    table = Table(title=f"{evaluation.split}: faces as queries against the gallery", caption=caption)
    table.add_column("images")
    for heading in RETRIEVAL_FIGURES.values():
        table.add_column(heading, justify="right")
    groups = _groups(evaluation.copies, evaluation.retrieval, evaluation.retrieval_without_copies)
    for heading, metrics in groups:
        if metrics is not None:
            table.add_row(heading, *(_with_interval(metrics, field) for field in RETRIEVAL_FIGURES))
    return table


def comparison_table(comparison: Comparison, first: str, second: str) -> Table:
    """One row a voter and figure: both systems, their difference with its interval, and its p value."""
    notes = f"{comparison.images} images, {comparison.copies} with a copy in a gallery.\n{CALIBRATION}"
    table = _paired(f"{comparison.split}: {second} against {first}", ("images", "voter", "figure"), first, second)
    table.caption = notes
    for group, voters in _groups(comparison.copies, comparison.all_images, comparison.without_copies):
        for place, (voter, paired) in enumerate(voters.items()):
            for line, row in enumerate(_gaps(paired, FIGURES)):
                table.add_row("" if place or line else group, "" if line else voter_name(voter), *row)
            test = paired.mcnemar
            right = f"{test.only_first} / {test.only_second}"
            table.add_row(
                "", "", "only one right (McNemar)", right, "", "", "", f"{test.p_value:.3f}", end_section=True
            )
    return table


def retrieval_comparison_table(comparison: Comparison, first: str, second: str) -> Table:
    """How both embeddings retrieve faces of one expression from their galleries, and whether one has collapsed."""
    table = _paired(f"{comparison.split}: faces as queries against the gallery", ("images", "figure"), first, second)
    for group, paired in _groups(comparison.copies, comparison.retrieval, comparison.retrieval_without_copies):
        if paired is not None:
            for line, row in enumerate(_gaps(paired, RETRIEVAL_FIGURES)):
                table.add_row("" if line else group, *row)
            table.add_section()
    sides = {first: comparison.retrieval.first, second: comparison.retrieval.second}
    table.caption = "\n".join(f"{name}: {COLLAPSED}" for name, metrics in sides.items() if metrics.collapsed) or None
    return table


def _groups(copies: int, everything: Judged, fresh: Judged) -> list[tuple[str, Judged]]:
    """What stands in a table: without copies, both groups of images are one."""
    return [("all", everything), ("without copies", fresh)] if copies else [("all", everything)]


def _paired(title: str, headings: Sequence[str], first: str, second: str) -> Table:
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading)
    for heading in (first, second, "difference", "95% interval", "p"):
        table.add_column(heading, justify="right")
    return table


def _gaps(paired: PairedMetrics | PairedRetrieval, headings: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Heading, both systems, difference, interval and p value, figure by figure."""
    for field, heading in headings.items():
        if field in paired.differences:
            gap = paired.differences[field]
            yield heading, written(field, gap.first), written(field, gap.second), *written_gap(field, gap)


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


def _with_interval(metrics: Any, field: str) -> Text:
    value, bounds = written(field, getattr(metrics, field)), written_interval(field, metrics)
    return Text.assemble(value, "\n", (bounds, "dim")) if bounds else Text(value)
