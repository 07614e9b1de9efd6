"""Judge a recogniser by voters that were not calibrated on the faces they are asked about."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from ferembed.recognizer import Recognizer
from ferembed.recognizer.voters import HeldOut, best_knn, calibrated_voters
from ferembed.runs.assessment import Answers

FOLDS = 5


def cross_fitted(recognizer: Recognizer, answers: Answers) -> dict[str, NDArray[np.float64]]:
    """Each voter's probabilities of answered faces, by voters that other faces made.

    Each fifth of the faces is asked of voters whose k, calibration and weights the other four fifths decided. The
    encoder is the same for all, and so is the epoch that validation chose.

    Parameters
    ----------
    recognizer : Recognizer
        With the classes it was trained for, none enrolled or forgotten.
    answers : Answers
        Of faces that are not in its gallery.

    Returns
    -------
    dict of str to ndarray of float64, shape (n, c)
        For ``"softmax"``, ``"knn"`` and ``"vote"``.
    """
    head, classes = recognizer.trained_head
    gallery, votes = recognizer.gallery_embeddings, recognizer.voters["knn"].estimator_.gallery_.votes
    codes = np.array([classes.index(name) for name in recognizer.gallery_labels])
    proba: dict[str, NDArray[np.float64]] = {}
    for fitted, asked in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(answers.embeddings, answers.codes):
        held_out = HeldOut(answers.embeddings[fitted], answers.codes[fitted])
        voters = calibrated_voters(head, best_knn(gallery, codes, held_out, votes), held_out)
        for name, voter in voters._asdict().items():
            rows = proba.setdefault(name, np.empty((len(answers.codes), len(classes))))
            rows[asked] = voter.predict_proba(answers.embeddings[asked])
    return proba
