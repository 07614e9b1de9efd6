"""The page of an audit: tables, and contact sheets of what was found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ferembed.auditing.lists import Places
from ferembed.evaluation.plots.canvas import plain
from ferembed.evaluation.wording import COLLAPSED
from ferembed.labels import COLOURS
from ferembed.page import Section, face_grid, figure, heading, note, page, paragraph, table
from ferembed.storage import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ferembed.auditing.findings import AuditReport, Balance
    from ferembed.data.dataset import FaceDataset

SHOWN = 96
"""Most faces on one sheet."""

JOINT = (
    "The confident joint (Northcutt et al. 2021): faces of each label by the class that they are more like. What the "
    "recogniser confuses is in it, too."
)


def write_report(report: AuditReport, faces: FaceDataset, path: Path) -> Path:
    """Write the page of a report on ``faces``, whole or not at all."""
    sheets = _Sheets(faces)
    sections = [_balance(report), _copies(report, sheets), _outliers(report, sheets)]
    if report.labels is not None:
        sections.append(_labels(report, sheets))
    elif report.collapsed:
        sections.append(Section("Labels", [paragraph(f"{COLLAPSED} No label can be doubted by it.")]))
    write_text(path, page("Audit", sections, f"{report.images:,} faces of {report.source or 'a data set'}."))
    return path


def plot_balance(balance: Balance, ax: Axes | None = None) -> Axes:
    """Faces of each class, a panel of bars for each split."""
    from matplotlib.figure import Figure

    tall = 1 + (0.12 + 0.14 * len(balance.splits)) * len(balance.classes)
    axes = ax if ax is not None else Figure(figsize=(7, tall), layout="constrained").add_subplot()
    height = 0.8 / max(len(balance.splits), 1)
    colours = [COLOURS.get(name, COLOURS["neutral"]) for name in balance.classes]
    for place, (split, counts) in enumerate(zip(balance.splits, balance.counts, strict=True)):
        middle = np.arange(len(balance.classes)) + (place - (len(balance.splits) - 1) / 2) * height
        bars = axes.barh(
            middle,
            counts,
            height,
            color=colours,
            alpha=1 - 0.7 * place / len(balance.splits),
            edgecolor="grey",
            label=plain(split),
        )
        axes.bar_label(bars, [f"{count:,}" for count in counts], fontsize=6, padding=2)
    axes.set_yticks(range(len(balance.classes)), [plain(name, 24) for name in balance.classes])
    axes.invert_yaxis()
    axes.set_xlabel("faces")
    axes.set_title(plain(f"within a class from the top: {', '.join(balance.splits)}", 60), fontsize=9)
    axes.margins(x=0.1, y=0.02)
    return axes


class _Sheets:
    """Sheets of a data set's faces by their ids, each with its row or file."""

    def __init__(self, faces: FaceDataset) -> None:
        self._faces, self._places = faces, Places(faces)

    def of(self, name: str, ids: NDArray[np.int64], captions: list[str]) -> list[Markup]:
        numbers = ids.tolist()
        rows = np.array([self._places.row(number) for number in numbers], np.int64)
        lines = [
            Markup("{}<br>{}").format(caption, self._places.name(number)) if caption else self._places.name(number)
            for caption, number in zip(captions, numbers, strict=True)
        ]
        return [face_grid(np.asarray(self._faces.images[rows]), lines, name)]


def _balance(report: AuditReport) -> Section:
    balance = report.balance
    rows = [
        [split, *(f"{count:,}" for count in counts), f"{counts.sum():,}"]
        for split, counts in zip(balance.splits, balance.counts, strict=True)
    ]
    return Section(
        "Balance",
        [
            table(["split", *balance.classes, "all"], rows),
            figure(lambda: plot_balance(balance), "Faces of each class in each split"),
        ],
    )


def _copies(report: AuditReport, sheets: _Sheets) -> Section:
    copies = report.copies
    blocks = [
        table(["copies", "number"], [[name.replace("_", " "), f"{count:,}"] for name, count in copies.counts().items()])
    ]
    if not len(copies):
        return Section("Copies", [paragraph("No two faces show one photo.")])
    members = sorted(copies.members(), key=len, reverse=True)
    largest = np.array([row for rows in members[:8] for row in rows[:12]], np.int64)
    captions = [f"{copies.groups[row]}: {copies.labels[row]}, {copies.splits[row]}" for row in largest]
    blocks += [
        heading("Largest groups"),
        note("Group: label, split."),
        *sheets.of("groups", copies.ids[largest], captions),
    ]
    weakest = np.argsort(copies.detail, kind="stable")[: SHOWN // 2]
    if len(weakest):
        captions = [text for row in weakest for text in (f"{copies.detail[row]:.2f}", "")]
        blocks += [
            heading("Weakest pairs"),
            note("Side by side, with the agreement of their details: look here first for pairs that are no copies."),
            *sheets.of("weakest", copies.pairs[weakest].reshape(-1), captions),
        ]
    torn = set(copies.disagreeing.tolist())
    rows = np.array([row for group in copies.members() if copies.groups[group[0]] in torn for row in group[:6]])
    if len(rows):
        shown = rows[:SHOWN].astype(np.int64)
        captions = [f"{copies.groups[row]}: {copies.labels[row]}" for row in shown]
        blocks += [heading("Copies with several labels"), *sheets.of("torn", copies.ids[shown], captions)]
    return Section("Copies", blocks)


def _outliers(report: AuditReport, sheets: _Sheets) -> Section:
    blocks: list[Markup] = [
        table(["kind", "faces"], [[kind, f"{count:,}"] for kind, count in report.outliers.counts().items()]),
        note("Each flag is a reason to look, not a verdict."),
    ]
    for kind, count in report.outliers.counts().items():
        if count:
            shown = report.outliers.of(kind)
            captions = [f"{score:.2f}" for score in shown.scores[:SHOWN]]
            blocks += [heading(kind), *sheets.of(kind, shown.ids[:SHOWN], captions)]
    return Section("Outliers", blocks)


def _labels(report: AuditReport, sheets: _Sheets) -> Section:
    labels = report.labels
    assert labels is not None
    top = labels.top(SHOWN)
    joint = [[name, *(f"{count:,}" for count in row)] for name, row in zip(labels.classes, labels.joint, strict=True)]
    captions = [f"{given} → {new}" for given, new in zip(top.given, top.suggested, strict=True)]
    doubted = (
        f"{len(labels):,} labels are doubted: another class is more probable by the other faces. "
        f"Slips, labels that are wrong whatever the face shows, are estimated at {labels.estimated:,}; other doubts "
        "are confusions of faces that are hard to tell, the annotators' or the recogniser's."
    )
    few = f"Not judged, since they have too few faces: {', '.join(labels.unjudged)}." if labels.unjudged else ""
    return Section(
        "Labels",
        [
            paragraph(doubted),
            *(paragraph(sentence) for sentence in (few, str(labels.learnt or "")) if sentence),
            table(["label \\ true class", *labels.classes], joint, caption=JOINT),
            heading("Most doubtful"),
            note("Label → suggestion; labels.csv lists all."),
            *sheets.of("labels", top.ids, captions),
        ],
    )
