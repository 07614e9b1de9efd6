"""The figures of a report: the primary one, tables with intervals beneath, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from ferembed.page import note, paragraph, table
from ferembed.runs.assessment import Evaluation
from ferembed.runs.figure_tables import Cell, FigureTable


def drawn(figures: FigureTable) -> Markup:
    """A table of figures as it stands on a page; its title is left to the section."""
    rows = [[_shown(cell) for cell in line] for line in figures.lines]
    return table(figures.headings, rows, text=figures.text, group=figures.text > 1, caption=figures.caption)


def _shown(cell: str | Cell) -> str | Markup:
    if isinstance(cell, str):
        return cell
    return Markup("{}<small>{}</small>").format(*cell) if cell.interval else cell.value


def headline(evaluation: Evaluation) -> Markup:
    """The primary metric in one sentence."""
    bounds = evaluation.primary_interval
    interval = "" if bounds is None else f" (95% interval {bounds.low:.1%} to {bounds.high:.1%})"
    sentence = Markup("<p>Primary figure, {}: <strong>{}</strong>{}.</p>")
    return sentence.format(evaluation.primary, f"{evaluation.primary_value:.1%}", interval)


def provenance(evaluation: Evaluation, info: Mapping[str, Any]) -> list[Markup]:
    """Where the figures come from: the split, the views, what was fitted on it, the recipe and the versions."""
    views = {"single": "Each image was looked at once", "flip": "Each image and its mirror were averaged"}
    sentences = [f"{views.get(evaluation.views, 'Ten crops of each image were averaged')}."]
    if evaluation.calibrated_here:
        sentences.append(
            "The epoch, k, the temperatures and the vote's weights were chosen on these images: "
            "read the figures as validation figures, not as a test."
        )
    recipe, versions = info.get("recipe", {}), info.get("versions", {})
    if recipe:
        sentences.append(
            f"Recipe: {recipe.get('description') or 'no description'} "
            f"({recipe.get('epochs')} epochs, seed {recipe.get('seed')})."
        )
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    return [paragraph(" ".join(sentences)), *([note(f"Made with {packages}.")] if packages else [])]
