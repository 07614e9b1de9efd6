"""Faces of a report: the nearest ones of some queries, and the surest mistakes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ferembed.assessment import Answers
from ferembed.data.dataset import FaceDataset
from ferembed.evaluation.page import FaceSheet, note
from ferembed.evaluation.plots import surest_mistakes
from ferembed.pipeline import fingerprint
from ferembed.recognizer import Recognizer
from ferembed.recognizer.encoding import seen_by
from ferembed.ties import most_probable

MISTAKES = 48
NEIGHBOURS = 8
QUERIES_PER_CLASS = 2


def mistakes(answers: Answers) -> list[Markup]:
    """The faces that the vote names wrongly with the highest confidence, surest first."""
    proba = answers.probabilities["vote"]
    rows = surest_mistakes(proba, answers.codes)
    if not rows.size:
        return [note("The vote names every face rightly.")]
    shown = rows[:MISTAKES]
    sheet = FaceSheet(answers.faces.images[shown], "mistakes")
    one = Markup("{} {}<br>is {}<br>row {}")
    captions = [
        one.format(
            answers.classes[named],
            f"{proba[row].max():.0%}",
            answers.classes[answers.codes[row]],
            answers.faces.ids[row],
        )
        for row, named in zip(shown, most_probable(proba[shown]), strict=True)
    ]
    wrong = f"{len(rows):,} of {len(proba):,} faces are named wrongly; these {len(shown)} with the highest confidence."
    return [sheet.style, note(wrong), sheet.faces(np.arange(len(shown)), captions)]


def neighbours(recognizer: Recognizer, answers: Answers, train: FaceDataset | None, seed: int = 0) -> list[Markup]:
    """Queries drawn at random, two a class, each beside the nearest faces of the gallery.

    Parameters
    ----------
    train : FaceDataset or None
        The faces the recogniser learned; others, or None, and only labels and distances are shown.
    seed : int
        The same draws the same queries.
    """
    queries = np.concatenate(list(_queries(answers, seed)))
    k = min(NEIGHBOURS, len(recognizer.gallery_ids))
    near = recognizer.neighbors(answers.faces.images[queries], k)
    train = None if train is None else seen_by(recognizer.encoder, train)
    known = train is not None and fingerprint(train) == recognizer.info.get("data", {}).get("train")
    sheet = FaceSheet(answers.faces.images[queries], "queries")
    blocks = [sheet.style]
    if known and train is not None:
        place = {int(number): row for row, number in enumerate(train.ids)}
        gallery = FaceSheet(train.images[[place[int(number)] for number in near.ids.ravel()]], "neighbours")
        blocks.append(gallery.style)
    else:
        blocks.append(note("The faces this recogniser learned are not in this data, so its neighbours are only named."))
    for line, query in enumerate(queries):
        true = answers.classes[answers.codes[query]]
        other = near.labels[line] != true
        distances = 1 - near.similarities[line]
        captions = [Markup("{}<br>{}").format(*each) for each in zip(near.labels[line], _short(distances), strict=True)]
        asked = sheet.faces([line], [Markup("<strong>{}</strong><br>row {}").format(true, answers.faces.ids[query])])
        if known:
            found = gallery.faces(np.arange(line * k, (line + 1) * k), captions, marked=other)
        else:
            found = Markup('<div class="faces">{}</div>').format(
                Markup("").join(Markup('<div class="face">{}</div>').format(each) for each in captions)
            )
        blocks.append(Markup('<div class="query">{}{}</div>').format(asked, found))
    frames = "; a frame marks another class than the query's" if known else ""
    legend = "Left: a query and its true class. Right: the nearest learned faces with their class and cosine distance"
    blocks.append(note(f"{legend}{frames}."))
    return blocks


def _queries(answers: Answers, seed: int) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    for code in range(len(answers.classes)):
        rows = np.flatnonzero(answers.codes == code)
        yield np.sort(rng.choice(rows, min(QUERIES_PER_CLASS, len(rows)), replace=False))


def _short(distances: NDArray[np.float32]) -> list[str]:
    return [f"{each:.3f}" for each in distances]
