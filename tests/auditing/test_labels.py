"""Doubted labels: against cleanlab's counts and ranking, against labels known to be false, and against FER+."""

import csv

import numpy as np
import pytest
from scipy.stats import spearmanr

from ferembed.auditing import confident_joint, find_label_issues, out_of_fold, rank_labels
from ferembed.auditing.out_of_fold import neighbour_votes, out_of_fold_softmax
from ferembed.data import DataError, FaceDataset


def noisy(n=600, classes=4, share=0.12, seed=0):
    """Unit vectors around a centre for each class, with labels of which a share is false."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, n)
    vectors = np.eye(classes, 8)[true] + 0.35 * rng.normal(size=(n, 8))
    labels = true.copy()
    wrong = rng.choice(n, int(share * n), replace=False)
    labels[wrong] = (true[wrong] + rng.integers(1, classes, len(wrong))) % classes
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), labels, true


def test_of_classes_with_equal_shares_the_first_takes_the_row_that_is_left():
    """Of eight rows 5 1/3, 1 1/3 and 1 1/3 belong to the classes; in floating point these thirds differ."""
    labelled_first = [(0.9, 0.05, 0.05)] * 4 + [(0.0, 0.8, 0.2), (0.0, 0.2, 0.8)] + [(0.45, 0.3, 0.25)] * 2
    rows = [*labelled_first, (0.2, 0.6, 0.2), (0.2, 0.2, 0.6)]
    assert confident_joint(rows, [0] * 8 + [1, 2])[0].tolist() == [[6, 1, 1], [0, 1, 0], [0, 0, 1]]


def dataset(labels, classes=4):
    names = tuple("abcdefg"[:classes])
    return FaceDataset(np.zeros((len(labels), 2, 2), np.uint8), labels, names, ids=np.arange(len(labels)) + 1000)


@pytest.mark.parametrize("seed", range(3))
def test_counts_and_ranking_agree_with_cleanlab(seed):
    count = pytest.importorskip("cleanlab.count")
    rank = pytest.importorskip("cleanlab.rank")
    filtering = pytest.importorskip("cleanlab.filter")
    vectors, labels, _ = noisy(seed=seed)
    proba = out_of_fold_softmax(vectors, labels, 4)
    joint, confident = confident_joint(proba, labels)
    theirs, rows = count.compute_confident_joint(labels, proba, calibrate=True, return_indices_of_off_diagonals=True)
    assert np.abs(joint - theirs).max() <= 1
    assert np.flatnonzero(confident).tolist() == sorted(rows)
    scores, suggested = rank_labels(proba, labels, joint)
    quality = rank.get_label_quality_scores(labels, proba, method="normalized_margin")
    for label in range(4):
        own = labels == label
        assert spearmanr(scores[own], -quality[own]).statistic == pytest.approx(1)
    assert spearmanr(scores, -quality).statistic > 0.95
    found = filtering.find_label_issues(labels, proba, filter_by="confident_learning", return_indices_ranked_by=None)
    ours = np.argsort(-scores)[: found.sum()]
    assert np.isin(np.flatnonzero(found), ours).mean() > 0.85
    assert (suggested != labels).all()


def test_false_labels_come_first_and_can_be_mended():
    vectors, labels, true = noisy()
    faces = dataset(labels)
    found = find_label_issues(faces, vectors)
    wrong = set(np.flatnonzero(labels != true) + 1000)
    assert np.mean([number in wrong for number in found.ids[:60].tolist()]) > 0.9
    assert (np.diff(found.scores) <= 0).all()
    assert abs(found.estimated - len(wrong)) < 0.4 * len(wrong)
    mended = faces.fix_labels(found.top(50))
    assert (mended.labels != true).sum() < (labels != true).sum() - 35
    assert (faces.labels == labels).all()
    assert len(faces.without(found.top(50))) == len(faces) - 50


@pytest.mark.parametrize("at_once", [1 << 21, 100])
def test_votes_are_those_of_a_plain_loop(at_once, monkeypatch):
    monkeypatch.setattr(out_of_fold, "_FOUND_AT_ONCE", at_once)
    vectors, labels, _ = noisy(80)
    groups = np.minimum(np.arange(80) // 2, 20)  # the last one is large: all of its rows must be looked past
    votes = neighbour_votes(vectors, labels, 4, k=7, groups=groups)
    for row in range(80):
        cosines = vectors @ vectors[row]
        others = [other for other in np.argsort(-cosines) if groups[other] != groups[row]][:7]
        shares = np.bincount(labels[others], np.exp(cosines[others] / 0.1), minlength=4)
        np.testing.assert_allclose(votes[row], shares / shares.sum(), atol=1e-4)


def test_a_row_is_not_judged_by_its_copies():
    vectors, labels, _ = noisy(300)
    twice, names = np.concatenate([vectors, vectors[:40]]), np.concatenate([labels, (labels[:40] + 1) % 4])
    groups = np.concatenate([np.arange(300), np.arange(40)])
    for judged in (neighbour_votes, out_of_fold_softmax):
        alone = judged(twice, names, 4, groups=groups)
        np.testing.assert_allclose(alone[300:], alone[:40], atol=1e-6)


def test_fixes_by_hand_and_their_errors():
    faces = dataset(np.array([0, 1, 2, 3]))
    assert faces.fix_labels({1001: "d"}).labels.tolist() == [0, 3, 2, 3]
    with pytest.raises(DataError, match="no face with id 5"):
        faces.fix_labels({5: "a"})
    with pytest.raises(DataError, match="'joy' is not among the classes a, b, c, d"):
        faces.fix_labels({1000: "joy"})
    with pytest.raises(DataError, match="embeddings or out-of-fold"):
        find_label_issues(faces)
    with pytest.raises(DataError, match=r"embeddings must have shape \(4, d\)"):
        find_label_issues(faces, np.zeros((3, 2)))
    with pytest.raises(DataError, match=r"probabilities must have shape \(4, 4\)"):
        find_label_issues(faces, probabilities=np.zeros((4, 3)))


def test_fer2013_labels_against_ferplus(fer2013_csv):
    """Without any trained encoder, the signatures of the copies' search already find more than chance."""
    from ferembed import load_fer2013
    from ferembed.auditing.canvas import canvas
    from ferembed.auditing.views import signatures
    from ferembed.data.ferplus import VOTE_COLUMNS

    faces = load_fer2013(fer2013_csv, cache=False).subset(np.arange(6000))
    with open(fer2013_csv.with_name("fer2013new.csv"), newline="") as file:
        votes = np.array([[int(cell) for cell in row[2:12]] for row in list(csv.reader(file))[1:6001]])
    names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    columns = np.array([VOTE_COLUMNS.index(name) for name in names])
    apart = votes[np.arange(6000), columns[faces.labels]] < votes.max(axis=1)
    found = find_label_issues(faces, signatures(canvas(faces.images)))
    assert apart[found.ids[:200]].mean() > apart.mean() + 0.15
