"""What members said before calibration made calibrated answers: each half of the validation split calibrates, weighs
and joins for the other half."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from benchmarks.suite.kept import Kept
from benchmarks.suite.splits import Asked, Half, selecting_faces
from numpy.typing import NDArray

from ferembed import StackingEnsemble, VotingEnsemble
from ferembed.estimators import FunctionMember
from ferembed.estimators.calibration import fit_calibration
from ferembed.probability import softmax
from ferembed.recognizer.voters import likeliest_method

Proba = NDArray[np.float64]
Halves = tuple[Half, Half]
Members = Mapping[str, tuple[Kept, str]]
"""By name: what a network's heads said, and which head votes."""


def head_answers(kept: Kept, head: str, halves: Halves) -> Asked:
    """The calibrated answers of one head, or of its and the gallery's vote, to both halves."""
    return [(half.judged, _head_answer(kept, head, number, half)) for number, half in enumerate(halves)]


def _head_answer(kept: Kept, head: str, number: int, half: Half) -> Proba:
    if head == "vote":
        members = [calibrated(kept.probabilities(each, number), half) for each in ("softmax", "knn")]
        return _joined(VotingEnsemble, dict(enumerate(members)), half, calibration=None)[half.asked]
    proba = kept.probabilities(head, number)
    # A calibration would bring back the shares that the vote has divided out.
    return proba[half.asked] if head == "balanced-knn" else calibrated(proba, half)[half.asked]


def calibrated(proba: Proba, half: Half) -> Proba:
    """Probabilities of all validation images (n, c) under the calibration that is likeliest within the half."""
    codes, said = selecting_faces(half.selection).labels, proba[half.selecting]
    return fit_calibration(likeliest_method(said, codes), said, codes)(proba)


def soft_voting(members: Members, number: int, half: Half) -> Proba:
    """The mean of the members' probabilities, as they are: the student project's."""
    mean: Proba = np.mean([kept.probabilities(head, number) for kept, head in members.values()], axis=0)
    return mean


def raw_sum(members: Members, number: int, half: Half) -> Proba:
    """The softmax of the sum of logits, margins and vote shares, whatever their scales."""
    return softmax(np.sum([kept.raw(head, number) for kept, head in members.values()], axis=0))


def calibrated_voting(members: Members, number: int, half: Half) -> Proba:
    """Calibrated members, with the weights under which the half is likeliest."""
    return _joined(VotingEnsemble, _probabilities(members, number), half)


def stacking(members: Members, number: int, half: Half) -> Proba:
    """A logistic regression over calibrated members, fitted to the half."""
    return _joined(StackingEnsemble, _probabilities(members, number), half)


METHODS: dict[str, Callable[[Members, int, Half], Proba]] = {
    "sum of raw scores": raw_sum,
    "soft voting": soft_voting,
    "calibrated voting": calibrated_voting,
    "stacking": stacking,
}


def ensemble_answers(members: Members, method: str, halves: Halves) -> Asked:
    """What an ensemble answers to both halves."""
    return [(half.judged, METHODS[method](members, number, half)[half.asked]) for number, half in enumerate(halves)]


def best_member(members: Members, halves: Halves) -> tuple[list[str], Asked]:
    """For each half, the calibrated member that the other half finds most accurate, and its answers."""
    names, answers = [], []
    for number, half in enumerate(halves):
        codes = selecting_faces(half.selection).labels

        def right(name: str, number: int = number, half: Half = half, codes: NDArray[Any] = codes) -> float:
            said = members[name][0].probabilities(members[name][1], number)[half.selecting]
            return float((said.argmax(axis=1) == codes).mean())

        best = max(members, key=right)
        names.append(best)
        answers.append((half.judged, _head_answer(*members[best], number, half)))
    return names, answers


def _probabilities(members: Members, number: int) -> dict[str, Proba]:
    return {name: kept.probabilities(head, number) for name, (kept, head) in members.items()}


def _joined(kind: Any, said: Mapping[Any, Proba], half: Half, **parameters: Any) -> Proba:
    """An ensemble of functions from row numbers to probabilities, fitted to the half, asked about every row."""
    labels = selecting_faces(half.selection).labels

    def member(table: Proba) -> FunctionMember:
        return FunctionMember(lambda rows: table[rows], range(table.shape[1]))

    ensemble = kind([(f"member {name}", member(table)) for name, table in said.items()], **parameters)
    rows = np.arange(len(next(iter(said.values()))))
    proba: Proba = ensemble.fit(half.selecting, labels).predict_proba(rows)
    return proba
