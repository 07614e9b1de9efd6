"""The figures of a report as tables, with their intervals beneath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ferembed.evaluation import Metrics, PairedMetrics, PairedRetrieval
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
from ferembed.page import note, paragraph, table
from ferembed.runs.assessment import Comparison, Evaluation

INTERVALS = "Small numbers are 95% intervals over images."
COPIES = (
    "Without copies: only images with no identical one among the faces the recogniser learned, nor, in FER2013, one "
    "known to show the same photo."
)
NO_COPIES = "No image has a copy, identical or known, among the faces learned: the figures stand for all."


def headline(evaluation: Evaluation) -> Markup:
    """The primary metric in one sentence."""
    bounds = evaluation.primary_interval
    interval = "" if bounds is None else f" (95% interval {bounds.low:.1%} to {bounds.high:.1%})"
    sentence = Markup("<p>Primary figure, {}: <strong>{}</strong>{}.</p>")
    return sentence.format(evaluation.primary, f"{evaluation.primary_value:.1%}", interval)


def voters_table(evaluation: Evaluation) -> Markup:
    """One row a voter, for all images and for those without a copy in the gallery."""
    groups = {f"all {evaluation.images:,}": evaluation.all_images}
    if evaluation.copies:
        groups[f"without copies, {evaluation.images - evaluation.copies:,}"] = evaluation.without_copies
    copies = COPIES if evaluation.copies else NO_COPIES
    rows = [
        ["" if place else group, voter_name(voter), *(_cell(metrics, field) for field in FIGURES)]
        for group, voters in groups.items()
        for place, (voter, metrics) in enumerate(voters.items())
    ]
    caption = f"{INTERVALS} {CALIBRATION} {copies}"
    return table(["images", "voter", *FIGURES.values()], rows, text=2, group=True, caption=caption)


def classes_table(metrics: Metrics) -> Markup:
    """One row a class."""
    rows = [
        [name, *(_cell(each, field) for field in CLASS_FIGURES), f"{each.support:,}"]
        for name, each in metrics.per_class.items()
    ]
    return table(["class", *CLASS_FIGURES.values(), "images"], rows, caption=INTERVALS)


def retrieval_table(evaluations: Mapping[str, Evaluation]) -> Markup:
    """How the embedding of one system, or of several by name, retrieves faces of the query's class from the gallery."""
    groups = {
        ", ".join(filter(None, [name, images])): metrics
        for name, evaluation in evaluations.items()
        for images, metrics in (
            ("all", evaluation.retrieval),
            ("without copies", evaluation.retrieval_without_copies if evaluation.copies else None),
        )
    }
    rows = [
        [name, *(_cell(metrics, field) for field in RETRIEVAL_FIGURES)]
        for name, metrics in groups.items()
        if metrics is not None
    ]
    fallen = [name for name, evaluation in evaluations.items() if evaluation.retrieval.collapsed]
    notes = [note(f"{name}: {COLLAPSED}" if name else COLLAPSED) for name in fallen]
    return Markup("").join([*notes, table(["images", *RETRIEVAL_FIGURES.values()], rows, caption=INTERVALS)])


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


def comparison_tables(comparison: Comparison, names: Sequence[str]) -> list[Markup]:
    """Both systems, their differences and McNemar's test, for each voter and both groups of images; then retrieval."""
    groups = {"all images": comparison.all_images}
    if comparison.copies:
        groups["images without copies"] = comparison.without_copies
    alone = [] if comparison.copies else [note(NO_COPIES)]
    voters = [
        block
        for group, voters in groups.items()
        if voters
        for block in (_differences(group, voters, names), _tests(group, voters, names))
    ]
    return [*alone, *voters, _retrieval_differences(comparison, names)]


def _differences(group: str, voters: Mapping[str, PairedMetrics], names: Sequence[str]) -> Markup:
    rows = [row for voter, paired in voters.items() for row in _gaps(voter_name(voter), paired, FIGURES)]
    caption = f"{group.capitalize()}. {_difference(names)} {CALIBRATION}"
    return table(["voter", *_headings(names)], rows, text=2, group=True, caption=caption)


def _retrieval_differences(comparison: Comparison, names: Sequence[str]) -> Markup:
    fresh = comparison.retrieval_without_copies if comparison.copies else None
    groups = {"all": comparison.retrieval, "without copies": fresh}
    rows = [row for name, each in groups.items() if each for row in _gaps(name, each, RETRIEVAL_FIGURES)]
    caption = f"Images as queries against each system's own gallery. {_difference(names)}"
    return table(["images", *_headings(names)], rows, text=2, group=True, caption=caption)


def _headings(names: Sequence[str]) -> list[str]:
    return ["figure", *names, "difference", "95% of it", "p"]


def _difference(names: Sequence[str]) -> str:
    return (
        f"Difference: {names[1]} less {names[0]}, in points where the figures are percentages; its interval and "
        "two-sided p over the same images for both."
    )


def _gaps(group: str, paired: PairedMetrics | PairedRetrieval, headings: Mapping[str, str]) -> list[list[Markup | str]]:
    """One row a figure, the first with the name of the group."""
    fields = [field for field in headings if field in paired.differences]
    return [
        [
            "" if place else group,
            headings[field],
            _cell(paired.first, field),
            _cell(paired.second, field),
            *written_gap(field, paired.differences[field]),
        ]
        for place, field in enumerate(fields)
    ]


def _tests(group: str, voters: Mapping[str, Any], names: Sequence[str]) -> Markup:
    rows = []
    for voter, paired in voters.items():
        test = paired.mcnemar
        counts = [test.both, test.only_first, test.only_second, test.neither]
        rows.append([voter_name(voter), *(f"{n:,}" for n in counts), f"{test.p_value:.3g}", f"{test.p_exact:.3g}"])
    headings = ["voter", "both right", f"only {names[0]}", f"only {names[1]}", "neither", "p (mid)", "p (exact)"]
    return table(headings, rows, caption=f"McNemar's test on {group}: which images only one of the two names rightly.")


def _cell(metrics: Any, field: str) -> Markup:
    bounds = written_interval(field, metrics)
    below = Markup("<small>{}</small>").format(bounds) if bounds else ""
    return Markup("{}{}").format(written(field, getattr(metrics, field)), below)
