"""Nothing of the suite that selects can be given a test split, and variants are what they say."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("benchmarks.suite", reason="the benchmarks are not beside the tests")

from benchmarks.suite import variants
from benchmarks.suite.bench import Bench
from benchmarks.suite.budgets import BUDGETS
from benchmarks.suite.heads import calibrated
from benchmarks.suite.splits import SelectionSplit, SplitError, TestSplit, TrainSplit, divide, halves, training_faces
from benchmarks.suite.tables.ensembles import calibrated_voting, soft_voting, stacking

from ferembed import SoftmaxHead, drawn_faces


@pytest.fixture(scope="module")
def parts(drawn):
    return divide(drawn)


@pytest.fixture(scope="module")
def skewed():
    return TrainSplit(drawn_faces(1400, imbalance=4).split("train"))


def test_a_test_split_cannot_select(parts, drawn, tmp_path):
    bench = Bench(BUDGETS["smoke"], drawn, tmp_path)
    with pytest.raises(SplitError, match="selected on a SelectionSplit, not on a TestSplit"):
        bench.recognizer(bench.training_on("baseline", "joint", parts.train, parts.test, ""))
    with pytest.raises(SplitError, match="not on a TestSplit"):
        calibrated(SoftmaxHead(), np.zeros((1, 2)), parts.test)
    answers = {"one": {"selection_probabilities": np.eye(2), "test_probabilities": np.eye(2)}}
    for join in (calibrated_voting, stacking):
        with pytest.raises(SplitError, match="not on a TestSplit"):
            join(answers, parts.test)
    assert soft_voting(answers, parts.test).tolist() == np.eye(2).tolist()


def test_a_training_split_cannot_select_and_a_selection_cannot_train(parts, drawn, tmp_path):
    bench = Bench(BUDGETS["smoke"], drawn, tmp_path)
    with pytest.raises(SplitError, match="not on a TrainSplit"):
        bench.recognizer(bench.training_on("baseline", "joint", parts.train, parts.train, ""))
    with pytest.raises(SplitError, match="training takes a TrainSplit, not a SelectionSplit"):
        bench.training_on("baseline", "joint", parts.selection, parts.selection, "")


def test_a_test_split_shows_its_images_and_keeps_its_labels(parts, drawn):
    assert parts.test.images.shape == drawn.split("test").images.shape
    open_names = {name for name in vars(TestSplit) if not name.startswith("_")}
    assert open_names == {"images", "fresh", "judge", "judge_all", "judge_score"}
    truth = np.eye(7)[drawn.split("test").labels]
    assert parts.test.judge(truth, drawn.classes, resamples=0)["all_images"]["accuracy"] == 1
    assert parts.test.judge_score(truth[:, 3], drawn.classes[3]) == 1


def test_a_face_cannot_both_select_and_be_judged(drawn):
    with pytest.raises(SplitError, match="disjoint"):
        TestSplit(drawn.split("test"), drawn)


def test_without_a_test_split_a_tenth_of_training_selects_and_no_photo_is_on_both_sides(drawn):
    faces = drawn.subset(drawn.splits != "test")
    doubled = faces.subset(np.repeat(np.arange(len(faces)), np.where(faces.splits == "train", 2, 1)))
    doubled = replace(doubled, ids=np.arange(len(doubled)))
    parts = divide(doubled)
    train, selection = training_faces(parts.train), parts.selection.faces
    assert not set(train.pixel_hashes) & set(selection.pixel_hashes)
    assert 0.05 < len(selection) / (len(selection) + len(train)) < 0.15
    assert len(parts.test) == np.sum(drawn.splits == "validation")


def test_copies_of_faces_that_train_or_select_are_told_from_fresh_ones(drawn):
    train, test = drawn.split("train"), drawn.split("test")
    copied = replace(test, images=np.concatenate([train.images[:3], test.images[3:]]))
    assert TestSplit(copied, train).fresh == len(test) - 3


def test_a_long_tail_falls_geometrically_to_the_ratio_asked_for(skewed):
    counts = sorted(variants.long_tailed(skewed, 16).faces.class_counts().values())
    assert counts[-1] / counts[0] == pytest.approx(16, rel=0.1)
    assert np.diff(np.log(counts)) == pytest.approx(np.log(16) / 6, abs=0.25)
    again = variants.long_tailed(skewed, 16).faces
    assert again.ids.tolist() == variants.long_tailed(skewed, 16).faces.ids.tolist()


def test_label_noise_replaces_the_share_of_labels_asked_for(skewed):
    noisy = variants.mislabelled(skewed, 40).faces
    assert (noisy.labels != skewed.faces.labels).mean() == pytest.approx(0.4, abs=0.001)
    assert variants.mislabelled(skewed, 0).faces.labels.tolist() == skewed.faces.labels.tolist()


def test_an_expression_held_out_leaves_the_others_their_names(skewed):
    rest = variants.without(skewed, "fear").faces
    assert "fear" not in rest.classes
    expected = {name: count for name, count in skewed.faces.class_counts().items() if name != "fear"}
    assert rest.class_counts() == expected
    assert isinstance(variants.without(SelectionSplit(skewed.faces), "fear"), SelectionSplit)


def test_each_half_of_the_validation_split_selects_for_the_other(drawn):
    (one, asked_of_one), (other, asked_of_other) = halves(drawn)
    assert not set(one.faces.pixel_hashes) & set(other.faces.pixel_hashes)
    assert (len(asked_of_one), len(asked_of_other)) == (len(other.faces), len(one.faces))
    assert sorted([*one.faces.ids, *other.faces.ids]) == drawn.split("validation").ids.tolist()


def test_splits_are_judged_together_as_if_they_were_one(drawn, parts):
    (_, first), (_, second) = halves(drawn)
    answers = [(each, np.tile(np.eye(7)[3], (len(each), 1))) for each in (first, second)]
    figures = TestSplit.judge_all(answers, drawn.classes, resamples=0)["all_images"]
    assert figures["count"] == len(first) + len(second)
    assert figures["accuracy"] == pytest.approx((drawn.split("validation").labels == 3).mean())
