"""Contact sheets of what an audit found, and its page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ferembed.auditing.copies.find import Copies
from ferembed.auditing.labels import LabelIssues
from ferembed.auditing.lists import Places
from ferembed.auditing.outliers import Outliers
from ferembed.data.dataset import FaceDataset
from ferembed.evaluation.plots.canvas import plain
from ferembed.evaluation.wording import COLLAPSED
from ferembed.labels import COLOURS
from ferembed.page import Section, face_grid, figure, heading, note, page, paragraph, table
from ferembed.storage import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ferembed.auditing.findings import AuditReport, Balance

SHOWN = 96
"""Most faces on one sheet."""

JOINT = (
    "The confident joint (Northcutt et al. 2021): faces of each label by the class that they are more like. What the "
    "recogniser confuses is in it, too."
)


class Sheets:
    """Sheets of a data set's faces by their ids, each with its row or file."""

    def __init__(self, faces: FaceDataset) -> None:
        self._faces, self._places = faces, Places(faces)

    def of(self, name: str, ids: NDArray[np.int64], captions: Sequence[str]) -> Markup:
        """Faces in a grid; ``name`` is for those who read the page's source."""
        rows = np.array([self._places.row(number) for number in ids.tolist()], np.int64)
        lines = [
            Markup("<br>").join(filter(None, [caption, self._places.name(number)]))
            for caption, number in zip(captions, ids.tolist(), strict=True)
        ]
        return face_grid(np.asarray(self._faces.images[rows]), lines, name)

    def groups(self, name: str, copies: Copies, members: Iterable[NDArray[np.int64]]) -> list[Markup]:
        """Groups of copies, given by places in ``copies.ids``."""
        rows = np.concatenate([*members])[:SHOWN]
        captions = [f"{copies.groups[row]}: {copies.labels[row]}, {copies.splits[row]}" for row in rows]
        return [note("Group: label, split."), self.of(name, copies.ids[rows], captions)]

    def outliers(self, outliers: Outliers, most: int) -> list[Markup]:
        """Odd pictures, the clearest of each kind."""
        blocks = [_counted("kind", outliers.counts()), note("Each flag is a reason to look, not a verdict.")]
        splits = dict(zip(self._faces.ids.tolist(), self._faces.splits.tolist(), strict=True))
        for kind, count in outliers.counts().items():
            if count:
                shown, few = outliers.of(kind), f", the clearest {most} of {count:,}" if count > most else ""
                clearest = zip(shown.scores[:most], shown.ids[:most].tolist(), strict=True)
                captions = [f"{score:.2f}, {splits[number]}" for score, number in clearest]
                blocks += [note(f"{kind.capitalize()}{few}:"), self.of(kind, shown.ids[:most], captions)]
        return blocks

    def labels(self, issues: LabelIssues) -> list[Markup]:
        """Doubted labels, each with the class suggested instead."""
        captions = [f"{given} → {new}" for given, new in zip(issues.given, issues.suggested, strict=True)]
        return [note("Label → suggestion."), self.of("labels", issues.ids, captions)]


def class_counts(faces: FaceDataset) -> Markup:
    """Faces of each class and split, and how many of them are blank."""
    parts = [faces.split(split) for split in faces.split_names]
    counts = np.array([[*part.class_counts().values(), len(part), part.blank.sum()] for part in parts]).T
    names = [*faces.classes, Markup("<em>all</em>"), Markup("<em>of them blank</em>")]
    rows = [[name, *(f"{count:,}" for count in line)] for name, line in zip(names, counts, strict=True)]
    return table(["class", *faces.split_names], rows, caption="Images of each class.")


def copy_counts(copies: Copies) -> Markup:
    """How many copies of which kind there are."""
    return _counted("copies", copies.counts(), "Identical and near copies over all splits.")


def _counted(what: str, counts: Mapping[str, int], caption: str = "") -> Markup:
    rows = [[name.replace("_", " "), f"{count:,}"] for name, count in counts.items()]
    return table([what, "number"], rows, caption=caption)


def write_page(report: AuditReport, faces: FaceDataset, path: Path) -> None:
    """Write the page of a report on ``faces``, whole or not at all."""
    sheets = Sheets(faces)
    pictured = figure(lambda: plot_balance(report.balance), "Faces of each class in each split")
    sections = [
        Section("Balance", [class_counts(faces), pictured]),
        Section("Copies", _copies(report.copies, sheets)),
        Section("Outliers", sheets.outliers(report.outliers, SHOWN)),
    ]
    if report.labels is not None:
        sections.append(Section("Labels", _labels(report.labels, sheets)))
    elif report.collapsed:
        sections.append(Section("Labels", [paragraph(f"{COLLAPSED} No label can be doubted by it.")]))
    write_text(path, page("Audit", sections, f"{report.images:,} faces of {report.source or 'a data set'}."))


def plot_balance(balance: Balance) -> Axes:
    """Faces of each class, a panel of bars for each split."""
    from matplotlib.figure import Figure

    tall = 1 + (0.12 + 0.14 * len(balance.splits)) * len(balance.classes)
    axes = Figure(figsize=(7, tall), layout="constrained").add_subplot()
    height = 0.8 / max(len(balance.splits), 1)
    colours = [COLOURS.get(name, COLOURS["neutral"]) for name in balance.classes]
    for place, (split, counts) in enumerate(zip(balance.splits, balance.counts, strict=True)):
        middle = np.arange(len(balance.classes)) + (place - (len(balance.splits) - 1) / 2) * height
        fade = 1 - 0.7 * place / len(balance.splits)
        bars = axes.barh(middle, counts, height, color=colours, alpha=fade, edgecolor="grey", label=plain(split))
        axes.bar_label(bars, [f"{count:,}" for count in counts], fontsize=6, padding=2)
    axes.set_yticks(range(len(balance.classes)), [plain(name, 24) for name in balance.classes])
    axes.invert_yaxis()
    axes.set_xlabel("faces")
    axes.set_title(plain(f"within a class from the top: {', '.join(balance.splits)}", 60), fontsize=9)
    axes.margins(x=0.1, y=0.02)
    return axes


def _copies(copies: Copies, sheets: Sheets) -> list[Markup]:
    if not len(copies):
        return [paragraph("No two faces show one photo.")]
    members = copies.members()
    largest = sorted(members, key=len, reverse=True)[:8]
    blocks = [
        copy_counts(copies),
        heading("Largest groups"),
        *sheets.groups("groups", copies, [rows[:12] for rows in largest]),
    ]
    weakest = np.argsort(copies.detail, kind="stable")[: SHOWN // 2]
    if len(weakest):
        captions = [text for row in weakest for text in (f"{copies.detail[row]:.2f}", "")]
        blocks += [
            heading("Weakest pairs"),
            note("Side by side, with the agreement of their details: look here first for pairs that are no copies."),
            sheets.of("weakest", copies.pairs[weakest].reshape(-1), captions),
        ]
    torn = [members[group][:6] for group in copies.disagreeing[:SHOWN]]
    if torn:
        blocks += [heading("Copies with several labels"), *sheets.groups("torn", copies, torn)]
    return blocks


def _labels(labels: LabelIssues, sheets: Sheets) -> list[Markup]:
    joint = [[name, *(f"{count:,}" for count in row)] for name, row in zip(labels.classes, labels.joint, strict=True)]
    doubted = (
        f"{len(labels):,} labels are doubted: another class is more probable by the other faces. "
        f"Slips, labels that are wrong whatever the face shows, are estimated at {labels.estimated:,}; other doubts "
        "are confusions of faces that are hard to tell, the annotators' or the recogniser's. labels.csv lists all."
    )
    few = f"Not judged, since they have too few faces: {', '.join(labels.unjudged)}." if labels.unjudged else ""
    return [
        *(paragraph(sentence) for sentence in (doubted, few, str(labels.learnt or "")) if sentence),
        table(["label \\ true class", *labels.classes], joint, caption=JOINT),
        heading("Most doubtful"),
        *sheets.labels(labels.top(SHOWN)),
    ]
