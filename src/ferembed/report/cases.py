"""Faces of a report: the nearest ones of some queries, and the surest mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ferembed.auditing.lists import Places
from ferembed.data.dataset import FaceDataset
from ferembed.evaluation.sheets import surest_mistakes
from ferembed.page import FaceSheet, columns, face_grid, heading, join, note, render
from ferembed.recognizer import Recognizer
from ferembed.recognizer.encoding import seen_by
from ferembed.runs.assessment import Answers

MISTAKES = 48
NEIGHBOURS = 8
QUERIES_PER_CLASS = 2


def mistakes(answers: Answers) -> list[Markup]:
    """The faces that the vote names wrongly with the highest confidence, surest first."""
    proba, classes = answers.probabilities["vote"], answers.classes
    rows = surest_mistakes(proba, answers.codes)
    if not rows.size:
        return [note("The vote names every face rightly.")]
    shown, named, sure = rows[:MISTAKES], answers.predicted(), proba.max(axis=1)
    one, places = Markup("{} {:.0%}<br>is {}<br>{}"), Places(answers.faces)
    captions = [
        one.format(classes[named[row]], sure[row], classes[answers.codes[row]], places.name(answers.faces.ids[row]))
        for row in shown
    ]
    wrong = f"{len(rows):,} of {len(proba):,} faces are named wrongly; these {len(shown)} with the highest confidence."
    return [note(wrong), face_grid(answers.faces.images[shown], captions, "mistakes")]


def mistakes_of_both(first: Answers, second: Answers, names: Sequence[str]) -> list[Markup]:
    """The faces that only one of two systems' votes names wrongly, side by side, and those that both do."""
    classes, codes, places = first.classes, first.codes, Places(first.faces)
    a, b = (each.predicted() for each in (first, second))
    sure_a, sure_b = (each.probabilities["vote"].max(axis=1) for each in (first, second))
    groups = {
        f"Only {names[0]} is wrong": ((a != codes) & (b == codes), sure_a),
        f"Only {names[1]} is wrong": ((a == codes) & (b != codes), sure_b),
        "Both are wrong": ((a != codes) & (b != codes), np.minimum(sure_a, sure_b)),
    }
    one, blocks = Markup("is {}<br>{} {:.0%}<br>{} {:.0%}<br>{}"), []
    for title, (chosen, confidence) in groups.items():
        rows = np.flatnonzero(chosen)
        rows = rows[np.argsort(-confidence[rows], kind="stable")]
        few = f"; the {MISTAKES} surest:" if len(rows) > MISTAKES else "."
        shown, told = rows[:MISTAKES], note(f"{len(rows):,} of {len(chosen):,} faces{few}")
        captions = []
        for row in shown:
            both = classes[a[row]], sure_a[row], classes[b[row]], sure_b[row]
            captions.append(one.format(classes[codes[row]], *both, places.name(first.faces.ids[row])))
        blocks.append(join([heading(title), told, face_grid(first.faces.images[shown], captions, "mistakes")]))
    legend = f"Beneath each face: what it is, what {names[0]} calls it and what {names[1]} does, with their confidence."
    return [note(legend), columns(blocks[0], blocks[1]), blocks[2]]


def neighbours(
    recognizers: Mapping[str, Recognizer], systems: Mapping[str, Answers], train: FaceDataset | None
) -> list[Markup]:
    """Queries drawn at random, two a class, each beside the nearest faces of the gallery of each system.

    Parameters
    ----------
    recognizers, systems : mapping of str to Recognizer, and to Answers
        One system, or several by name; their answers are to the same faces.
    train : FaceDataset or None
        The faces the recognisers learned; others, or None, and only labels and distances are shown.
    """
    answers = next(iter(systems.values()))
    queries = np.concatenate(list(_queries(answers)))
    places, ids = Places(answers.faces), answers.faces.ids
    sheet = FaceSheet(answers.faces.images[queries], "queries")
    blocks, found = [sheet.style], []
    for name, recognizer in recognizers.items():
        style, lines = _nearest(recognizer, name, answers, queries, train)
        blocks.append(style)
        found.append(lines)
    for line, query in enumerate(queries):
        true = answers.classes[answers.codes[query]]
        asked = sheet.faces([line], [Markup("<strong>{}</strong><br>{}").format(true, places.name(ids[query]))])
        near = join(lines[line] for lines in found)
        blocks.append(Markup('<div class="query">{}<div>{}</div></div>').format(asked, near))
    legend = "Left: a query and its true class. Right: the nearest learned faces with their class and cosine distance; "
    blocks.append(note(f"{legend}a frame marks another class than the query's."))
    return blocks


def _nearest(
    recognizer: Recognizer, name: str, answers: Answers, queries: NDArray[np.int64], train: FaceDataset | None
) -> tuple[Markup, list[Markup]]:
    """What goes before, and for each query the nearest faces of one system."""
    k = min(NEIGHBOURS, len(recognizer.gallery_ids))
    near = recognizer.neighbors(answers.faces.images[queries], k)
    train = None if train is None else seen_by(recognizer.engine, train)
    gallery = None
    before = note("The faces this recogniser learned are not in this data, so its neighbours are only named.")
    if train is not None and train.fingerprint == recognizer.info.get("data", {}).get("train"):
        place = {int(number): row for row, number in enumerate(train.ids)}
        gallery = FaceSheet(train.images[[place[int(number)] for number in near.ids.ravel()]], "neighbours")
        before = gallery.style
    title = note(name) if name else Markup("")
    lines = []
    for line, query in enumerate(queries):
        other = near.labels[line] != answers.classes[answers.codes[query]]
        distances = [f"{1 - each:.3f}" for each in near.similarities[line]]
        captions = [Markup("{}<br>{}").format(*each) for each in zip(near.labels[line], distances, strict=True)]
        if gallery is not None:
            shown = gallery.faces(np.arange(line * k, (line + 1) * k), captions, marked=other)
        else:
            shown = render("faces.html", sheet="", faces=[{"caption": each} for each in captions])
        lines.append(join([title, shown]))
    return before, lines


def _queries(answers: Answers) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    for code in range(len(answers.classes)):
        rows = np.flatnonzero(answers.codes == code)
        yield np.sort(rng.choice(rows, min(QUERIES_PER_CLASS, len(rows)), replace=False))
