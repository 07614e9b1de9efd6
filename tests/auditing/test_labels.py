"""Doubted labels: against cleanlab's counts and ranking, against labels known to be false, and against FER+."""

import csv

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from ferembed.auditing import confident_joint, find_label_issues, rank_labels
from ferembed.auditing.labels import out_of_fold_softmax
from ferembed.auditing.mistakes import probable_mistakes
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
def test_the_confident_joint_is_cleanlabs(seed):
    count = pytest.importorskip("cleanlab.count")
    vectors, labels, _ = noisy(seed=seed)
    proba = out_of_fold_softmax(vectors, labels, 4)
    joint, confident = confident_joint(proba, labels)
    theirs, rows = count.compute_confident_joint(labels, proba, calibrate=True, return_indices_of_off_diagonals=True)
    assert np.abs(joint - theirs).max() <= 1
    assert np.flatnonzero(confident).tolist() == sorted(rows)


def answered(share, *, n=4000, seed=0):
    """What a calibrated model says of seven classes, the truth, and labels of which a share is a slip."""
    rng = np.random.default_rng(seed)
    clear = rng.random(n) < 0.6
    proba = np.where(clear[:, None], rng.dirichlet(np.full(7, 0.02), n), rng.dirichlet(np.full(7, 0.4), n))
    proba = (proba + 1e-5) / (proba + 1e-5).sum(axis=1, keepdims=True)
    true = (rng.random((n, 1)) > proba.cumsum(axis=1)[:, :-1]).sum(axis=1)
    slipped = rng.permutation(n) < share * n
    return proba, true, np.where(slipped, (true + rng.integers(1, 7, n)) % 7, true)


@pytest.mark.parametrize("share", [0, 0.05, 0.15, 0.3])
@pytest.mark.parametrize("temperature", [0.7, 1, 1.5])
def test_slips_are_counted_whatever_the_model_s_sureness(share, temperature):
    proba, true, labels = answered(share)
    said = proba ** (1 / temperature)
    said /= said.sum(axis=1, keepdims=True)
    mistaken = probable_mistakes(said, labels)
    slips = labels != true
    assert slips.sum() / 1.25 <= mistaken.sum() <= 1.25 * slips.sum() if share else mistaken.sum() < 1
    if share:
        assert slips[mistaken > 0.5].mean() > 0.8
        assert mistaken[slips].mean() > 3 * mistaken[~slips].mean()


@pytest.mark.parametrize("share", [0.05, 0.15, 0.3])
def test_slips_come_first_as_by_the_best_of_cleanlabs_scores(share):
    scores = pytest.importorskip("cleanlab.rank").get_label_quality_scores
    proba, true, labels = answered(share, seed=1)
    ours, suggested = rank_labels(proba, labels, confident_joint(proba, labels)[0], probable_mistakes(proba, labels))
    slips = labels != true
    theirs = [
        average_precision_score(slips, -scores(labels, proba, method=method))
        for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
    ]
    assert average_precision_score(slips, ours) >= max(theirs) - 0.002
    assert (suggested != labels).all()


def test_without_slips_the_worse_annotated_class_is_doubted_first():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2, 3], 500)
    proba = np.eye(4)[labels] * 0.9 + 0.025
    confused = np.r_[0:200, 500:550]  # two fifths of the first class are called the third, a tenth of the second
    proba[confused] = [0.1, 0.1, 0.7, 0.1]
    proba[confused] += rng.uniform(0, 0.01, (250, 4))
    proba /= proba.sum(axis=1, keepdims=True)
    scores, _ = rank_labels(proba, labels, confident_joint(proba, labels)[0], np.zeros(2000))
    first = np.argsort(-scores, kind="stable")[:150]
    assert (labels[first] == 0).all()


def test_one_class_has_no_slips():
    assert probable_mistakes([[1.0, 0.0]] * 5, [0] * 5).tolist() == [0.0] * 5


def test_false_labels_come_first_and_can_be_mended():
    vectors, labels, true = noisy()
    faces = dataset(labels)
    found = find_label_issues(faces, vectors)
    wrong = set(np.flatnonzero(labels != true) + 1000)
    assert np.mean([number in wrong for number in found.ids[:60].tolist()]) > 0.9
    assert (np.diff(found.scores) <= 0).all()
    assert len(wrong) / 1.5 <= found.estimated <= 1.5 * len(wrong)
    assert find_label_issues(dataset(true), vectors).estimated == 0
    mended = faces.fix_labels(found.top(50))
    assert (mended.labels != true).sum() < (labels != true).sum() - 35
    assert (faces.labels == labels).all()
    assert len(faces.without(found.top(50))) == len(faces) - 50


def test_a_row_is_not_judged_by_its_copies():
    vectors, labels, _ = noisy(300)
    twice, names = np.concatenate([vectors, vectors[:40]]), np.concatenate([labels, (labels[:40] + 1) % 4])
    groups = np.concatenate([np.arange(300), np.arange(40)])
    alone = out_of_fold_softmax(twice, names, 4, groups=groups)
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
    from ferembed.auditing.copies.views import canvas, signatures
    from ferembed.data.readers.ferplus import VOTE_COLUMNS

    faces = load_fer2013(fer2013_csv, cache=False).subset(np.arange(6000))
    with open(fer2013_csv.with_name("fer2013new.csv"), newline="") as file:
        votes = np.array([[int(cell) for cell in row[2:12]] for row in list(csv.reader(file))[1:6001]])
    names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    columns = np.array([VOTE_COLUMNS.index(name) for name in names])
    apart = votes[np.arange(6000), columns[faces.labels]] < votes.max(axis=1)
    found = find_label_issues(faces, signatures(canvas(faces.images)))
    assert apart[found.ids[:200]].mean() > apart.mean() + 0.15
