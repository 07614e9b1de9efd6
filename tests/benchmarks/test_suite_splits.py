"""Nothing of the suite that selects can be given a test split, and variants are what they say."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("benchmarks.suite", reason="the benchmarks are not beside the tests")

from benchmarks.suite import variants
from benchmarks.suite.answers import METHODS, best_member, calibrated, ensemble_answers, head_answers
from benchmarks.suite.kept import Kept
from benchmarks.suite.splits import (
    JudgedSplit,
    SelectionSplit,
    SplitError,
    TrainSplit,
    halves,
    selecting_faces,
    training_faces,
)

from ferembed import drawn_faces
from ferembed.evaluation import auroc

pytestmark = pytest.mark.filterwarnings("ignore:.*held-out rows, fewer than 100")


@pytest.fixture(scope="module")
def train(drawn):
    return TrainSplit(drawn.split("train"))


@pytest.fixture(scope="module")
def validation(drawn):
    return SelectionSplit(drawn.split("validation"))


@pytest.fixture(scope="module")
def both(train, validation):
    return halves(train, validation)


@pytest.fixture(scope="module")
def skewed():
    return TrainSplit(drawn_faces(1400, imbalance=4).split("train"))


@pytest.fixture(scope="module")
def members(validation):
    """A member that is mostly right, and one that guesses."""
    codes, rng = validation.faces.labels, np.random.default_rng(0)
    guesses = rng.normal(size=(len(codes), 7))
    return {
        "good": (Kept({"softmax": guesses + 2 * np.eye(7)[codes]}), "softmax"),
        "guess": (Kept({"softmax": rng.normal(size=(len(codes), 7))}), "softmax"),
    }


def test_what_selects_refuses_faces_of_a_test_split(drawn):
    with pytest.raises(SplitError, match="only the split validation selects.*of the split test"):
        SelectionSplit(drawn.split("test"))
    with pytest.raises(SplitError, match="some of these faces are of the split test and train"):
        SelectionSplit(drawn)


def test_what_trains_refuses_faces_of_other_splits(drawn):
    for name in ("validation", "test"):
        with pytest.raises(
            SplitError, match=f"only the split train trains; some of these faces are of the split {name}"
        ):
            TrainSplit(drawn.split(name))


def test_a_role_cannot_be_played_by_another(train, validation, both):
    with pytest.raises(SplitError, match="training takes a TrainSplit, not a SelectionSplit"):
        training_faces(validation)
    for part in (train, both[0].judged):
        with pytest.raises(SplitError, match="selected on a SelectionSplit, not on a"):
            selecting_faces(part)
        with pytest.raises(SplitError, match="selected on a SelectionSplit, not on a"):
            calibrated(np.full((len(validation.faces), 7), 1 / 7), replace(both[0], selection=part))


def test_a_judged_split_shows_its_images_and_keeps_its_labels(both, validation, drawn):
    judged, asked = both[0].judged, both[0].asked
    assert np.array_equal(judged.images, validation.faces.images[asked])
    open_names = {name for name in vars(JudgedSplit) if not name.startswith("_")}
    assert open_names == {"images", "fresh", "judge", "compare", "judge_score", "compare_scores"}
    truth = np.eye(7)[validation.faces.labels]
    answers = [(half.judged, truth[half.asked]) for half in both]
    figures = JudgedSplit.judge(answers, drawn.classes, resamples=0)["all_images"]
    assert (figures["accuracy"], figures["count"]) == (1, len(validation.faces))
    assert judged.judge_score(truth[asked][:, 3], drawn.classes[3]) == 1


def test_a_face_cannot_both_select_and_be_judged(train, validation, drawn):
    with pytest.raises(SplitError, match="disjoint"):
        JudgedSplit(drawn.split("validation"), train, validation)


def test_each_half_of_the_validation_split_selects_for_the_other(both, drawn):
    one, other = both
    assert not set(one.selection.faces.pixel_hashes) & set(other.selection.faces.pixel_hashes)
    assert one.selecting.tolist() == other.asked.tolist()
    assert sorted([*one.selection.faces.ids, *other.selection.faces.ids]) == drawn.split("validation").ids.tolist()


def test_no_photo_is_in_both_halves(drawn):
    validation = drawn.split("validation")
    twice = validation.subset(np.repeat(np.arange(len(validation)), 2))
    one, other = halves(
        TrainSplit(drawn.split("train")), SelectionSplit(replace(twice, ids=np.arange(len(twice)) + 10**6))
    )
    assert not set(one.selection.faces.pixel_hashes) & set(other.selection.faces.pixel_hashes)


def test_copies_of_faces_that_train_are_told_from_fresh_ones(train, validation):
    faces = validation.faces
    copied = replace(faces, images=np.concatenate([train.faces.images[:3], faces.images[3:]]))
    assert sum(half.judged.fresh for half in halves(train, SelectionSplit(copied))) == len(faces) - 3


def test_two_systems_are_compared_on_the_same_images(both, validation, drawn):
    truth = np.eye(7)[validation.faces.labels]
    wrong = truth.copy()
    wrong[:10] = np.roll(truth[:10], 1, axis=1)
    first, second = ([(half.judged, table[half.asked]) for half in both] for table in (wrong, truth))
    found = JudgedSplit.compare(first, second, drawn.classes)["all_images"]
    assert found["difference"] == pytest.approx(10 / len(truth))
    assert found["interval"][0] > 0
    assert found["mcnemar"]["only_second"] == 10
    assert found["mcnemar"]["p"] < 0.01


def test_scores_are_compared_over_trials_and_halves_with_an_interval_over_the_images(both, validation, drawn):
    name, rng = drawn.classes[3], np.random.default_rng(0)
    of_it = validation.faces.labels == 3
    better, worse = (help * of_it[:, None] + rng.normal(size=(len(of_it), 2)) for help in (2.5, 0.5))

    def asked(scores):
        return [(half.judged, scores[half.asked]) for half in both]

    found = JudgedSplit.compare_scores(asked(worse), asked(better), name)
    areas = [
        [auroc(scores[own, trial], scores[rest, trial]) for own, rest in _sides(of_it, both) for trial in range(2)]
        for scores in (better, worse)
    ]
    assert found["difference"] == pytest.approx(np.mean(areas[0]) - np.mean(areas[1]))
    low, high = found["interval"]
    assert 0 < low < found["difference"] < high
    drawn_again = [_mean_difference(better, worse, of_it, both, np.random.default_rng(seed)) for seed in range(300)]
    assert (high - low) / 2 == pytest.approx(1.96 * np.std(drawn_again), rel=0.25)
    assert JudgedSplit.compare_scores(asked(better), asked(better), name) == {"difference": 0, "interval": None}


def _sides(of_it, both):
    """In each half the rows of the expression, and the others."""
    return [(half.asked[of_it[half.asked]], half.asked[~of_it[half.asked]]) for half in both]


def _mean_difference(better, worse, of_it, both, rng):
    """The difference on images drawn with replacement, as many of the expression and of the others as there are."""
    found = []
    for sides in _sides(of_it, both):
        own, rest = (rng.choice(rows, len(rows)) for rows in sides)
        for trial in range(2):
            areas = [auroc(scores[own, trial], scores[rest, trial]) for scores in (better, worse)]
            found.append(areas[0] - areas[1])
    return np.mean(found)


def test_what_one_half_is_told_does_not_change_how_it_is_judged(members, both, validation):
    """The answers to a half do not depend on its own labels, whatever joins the members."""
    one, other = both
    labels = validation.faces.labels.copy()
    labels[one.asked] = np.roll(labels[one.asked], 1)
    changed = SelectionSplit(replace(validation.faces, labels=labels))
    relabelled = SelectionSplit(changed.faces.subset(other.selecting))
    lied = one, replace(other, selection=relabelled)
    for method in METHODS:
        before, after = (ensemble_answers(members, method, pair)[0][1] for pair in (both, lied))
        assert np.array_equal(before, after)
    kept = members["good"][0]
    assert np.array_equal(head_answers(kept, "softmax", both)[0][1], head_answers(kept, "softmax", lied)[0][1])


def test_voting_that_is_calibrated_hears_the_better_member(members, both, drawn):
    def accuracy(method):
        return JudgedSplit.judge(ensemble_answers(members, method, both), drawn.classes)["all_images"]["accuracy"]

    names, alone = best_member(members, both)
    assert names == ["good", "good"]
    best = JudgedSplit.judge(alone, drawn.classes)["all_images"]["accuracy"]
    assert accuracy("soft voting") < best - 0.03
    assert accuracy("calibrated voting") > best - 0.03


def test_the_sum_of_raw_scores_adds_what_came(both):
    rows = len(both[0].selecting) + len(both[0].asked)
    logits, votes = np.tile(np.arange(7.0), (rows, 1)), np.full((2, rows, 7), 1 / 7)
    kept = Kept({"softmax": logits, "knn": votes})
    said = METHODS["sum of raw scores"]({"a": (kept, "softmax"), "b": (kept, "knn")}, 0, both[0])
    assert said[0] == pytest.approx(np.exp(np.arange(7.0)) / np.exp(np.arange(7.0)).sum())


def test_a_long_tail_falls_geometrically_to_the_ratio_asked_for(skewed):
    counts = sorted(variants.long_tailed(skewed, 16).faces.class_counts().values())
    assert counts[-1] / counts[0] == pytest.approx(16, rel=0.1)
    assert np.diff(np.log(counts)) == pytest.approx(np.log(16) / 6, abs=0.25)
    again = variants.long_tailed(skewed, 16).faces
    assert again.ids.tolist() == variants.long_tailed(skewed, 16).faces.ids.tolist()


def test_of_a_half_a_long_tail_selects_and_all_of_the_other_is_judged(both, validation):
    tailed = variants.long_tailed_half(both[0], 4)
    assert tailed.judged is both[0].judged
    assert tailed.selection.faces.ids.tolist() == validation.faces.ids[tailed.selecting].tolist()
    counts = tailed.selection.faces.class_counts().values()
    assert max(counts) / min(counts) == pytest.approx(4, rel=0.3)


def test_label_noise_replaces_the_share_of_labels_asked_for(skewed):
    noisy = variants.mislabelled(skewed, 40).faces
    assert (noisy.labels != skewed.faces.labels).mean() == pytest.approx(0.4, abs=0.001)
    assert variants.mislabelled(skewed, 0).faces.labels.tolist() == skewed.faces.labels.tolist()


def test_an_expression_held_out_leaves_the_others_their_names(skewed, validation):
    rest = variants.without(skewed, "fear").faces
    assert "fear" not in rest.classes
    expected = {name: count for name, count in skewed.faces.class_counts().items() if name != "fear"}
    assert rest.class_counts() == expected
    assert isinstance(variants.without(validation, "fear"), SelectionSplit)
