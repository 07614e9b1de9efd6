"""Judging a recogniser: what the figures are of, and what is refused."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from rich.console import Console
from sklearn.model_selection import StratifiedKFold
from torch.testing import assert_close

from ferembed import DataError, Recognizer, compare, drawn_faces, evaluate
from ferembed.cli.tables import comparison_tables, evaluation_tables
from ferembed.evaluation import evaluate_probabilities, evaluate_retrieval
from ferembed.evaluation.wording import COLLAPSED
from ferembed.models import Encoder, Network
from ferembed.report import figures
from ferembed.runs import figure_tables
from ferembed.runs.assessment import answer, cross_fitted, judge

FACES = drawn_faces(350, image_size=32, seed=4)
VALIDATION, TEST = FACES.split("validation"), FACES.split("test")


def untrained(seed, classes=7):
    torch.manual_seed(seed)
    arguments = {"channels": (8, 8, 8, 8), "stem_width": 8}
    return Network(Encoder("resnet10t", 16, 32, stem="standard", backbone_args=arguments), classes)


def build(seed, faces=FACES):
    return Recognizer.build(untrained(seed), faces.split("train"), faces.split("validation"))


@pytest.fixture(scope="module")
def recognizer():
    return build(0)


def test_figures_are_those_of_each_voter_and_of_the_embedding(recognizer):
    evaluation = evaluate(recognizer, TEST, resamples=50, seed=3)
    names = np.array(TEST.classes)[TEST.labels]
    embeddings = recognizer.encode(TEST.images)
    for voter, metrics in evaluation.all_images.items():
        proba = recognizer.voters[voter].predict_proba(embeddings)
        assert metrics == evaluate_probabilities(names, proba, TEST.classes, resamples=50, seed=3)
    gallery = recognizer.gallery_embeddings, recognizer.gallery_labels
    assert evaluation.retrieval == evaluate_retrieval(embeddings, names, *gallery, resamples=50, seed=3)
    assert evaluation.primary_value == evaluation.all_images["vote"].accuracy
    assert evaluation.primary_interval == evaluation.all_images["vote"].intervals["accuracy"]
    assert "vote" in evaluation.primary
    read = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert read["primary_value"] == evaluation.primary_value


def test_copies_are_left_out_of_the_second_column(recognizer):
    train = FACES.split("train")
    mixed = FACES.subset(np.concatenate([train.ids[:30], TEST.ids]))
    evaluation = evaluate(recognizer, mixed, resamples=0)
    alone = evaluate(recognizer, TEST, resamples=0)
    assert (evaluation.images, evaluation.copies) == (30 + len(TEST), 30)
    assert evaluation.without_copies.keys() == alone.all_images.keys()
    for voter, metrics in evaluation.without_copies.items():
        assert_close(asdict(metrics), asdict(alone.all_images[voter]), rtol=0, atol=1e-6)
    assert_close(asdict(evaluation.retrieval_without_copies), asdict(alone.retrieval), rtol=0, atol=1e-6)
    assert not evaluation.all_images["vote"].intervals


def test_each_part_is_asked_of_voters_that_the_other_parts_made(recognizer):
    answers = answer(recognizer, TEST)
    said = cross_fitted(recognizer, answers, folds=2, seed=1)
    for fitted, asked in StratifiedKFold(2, shuffle=True, random_state=1).split(TEST.images, TEST.labels):
        again = Recognizer.build(untrained(0), FACES.split("train"), TEST.subset(fitted))
        for voter, proba in said.items():
            expected = again.voters[voter].predict_proba(answers.embeddings[asked])
            np.testing.assert_allclose(proba[asked], expected, atol=1e-5)


def test_the_gallery_itself_has_no_second_column(recognizer):
    evaluation = evaluate(recognizer, FACES.split("train"), resamples=0)
    assert evaluation.without_copies == {}
    assert evaluation.retrieval_without_copies is None
    assert evaluation.retrieval.recall_at_5 == 1.0
    json.dumps(evaluation.to_dict(), allow_nan=False)


def test_the_order_of_classes_does_not_matter_and_calibration_is_told(recognizer):
    turned = TEST.with_labels(6 - TEST.labels, TEST.classes[::-1])
    assert evaluate(recognizer, turned, resamples=20) == evaluate(recognizer, TEST, resamples=20)
    assert evaluate(recognizer, VALIDATION, resamples=0).calibrated_here
    assert not evaluate(recognizer, TEST, resamples=0).calibrated_here


def test_what_calibrated_is_known_image_by_image(recognizer):
    assert evaluate(recognizer, VALIDATION.subset(np.arange(10)), resamples=0).calibrated_here
    few = FACES.subset(np.concatenate([VALIDATION.ids[:10], TEST.ids]))
    assert not evaluate(recognizer, few, resamples=0).calibrated_here
    again = build(0)
    again.calibrate(TEST)
    assert evaluate(again, TEST, resamples=0).calibrated_here
    assert not evaluate(again, VALIDATION, resamples=0).calibrated_here


def test_views_are_averaged(recognizer):
    flipped = evaluate(recognizer, TEST, views="flip", resamples=0)
    names = np.array(TEST.classes)[TEST.labels]
    proba = recognizer.predict_proba(TEST.images, views="flip")
    assert flipped.all_images["vote"] == evaluate_probabilities(names, proba, TEST.classes)
    assert flipped.views == "flip"


def test_a_comparison_is_of_the_same_faces(recognizer):
    other = build(1)
    compared = compare(recognizer, other, TEST, resamples=50)
    first, second = evaluate(recognizer, TEST, resamples=50), evaluate(other, TEST, resamples=50)
    for voter, paired in compared.all_images.items():
        assert paired.first == first.all_images[voter]
        assert paired.second == second.all_images[voter]
    right = [each.predict(TEST.images) == np.array(TEST.classes)[TEST.labels] for each in (recognizer, other)]
    assert compared.all_images["vote"].mcnemar.only_first == int((right[0] & ~right[1]).sum())
    assert (compared.retrieval.first, compared.retrieval.second) == (first.retrieval, second.retrieval)
    assert compared.retrieval_without_copies.second == second.retrieval_without_copies
    gap = compared.retrieval.differences["map_at_r"]
    assert gap.difference == pytest.approx(second.retrieval.map_at_r - first.retrieval.map_at_r)
    assert gap.interval.low < gap.difference < gap.interval.high
    shown = Console(record=True, width=120)
    shown.print(comparison_tables(compared, ["one", "two"])[-1])
    page = figures.drawn(figure_tables.comparison_tables(compared, ["one", "two"])[-1])
    text = shown.export_text()
    for metrics in (first.retrieval, second.retrieval_without_copies):
        for value in (f"{metrics.recall_at_1:.1%}", f"{metrics.map_at_r:.1%}", f"{metrics.silhouette:.3f}"):
            assert value in text
            assert value in page
    json.dumps(compared.to_dict(), allow_nan=False)


def test_recognisers_of_other_class_orders_are_aligned_by_name(recognizer):
    turned = build(1, FACES.with_labels(6 - FACES.labels, FACES.classes[::-1]))
    assert turned.classes_.tolist() == list(FACES.classes[::-1])
    compared = compare(recognizer, turned, TEST, resamples=20).all_images["softmax"]
    alone = evaluate(turned, TEST, resamples=20).all_images["softmax"]
    assert compared.second.accuracy == alone.accuracy
    assert compared.second.nll == pytest.approx(alone.nll)
    assert compared.second.per_class["happy"].recall == alone.per_class["happy"].recall


def test_retrieval_knows_classes_that_two_recognisers_spell_each_their_way(recognizer):
    spelled = [{"happy": "Happiness", "sad": "Sadness"}.get(name, name) for name in FACES.classes]
    other = build(0, FACES.with_labels(FACES.labels, spelled))
    paired = compare(recognizer, other, TEST, resamples=20).retrieval
    assert paired.second == paired.first
    assert all(gap.difference == 0 for gap in paired.differences.values())
    # A report reads the second system's answers under the names of the first.
    said = answer(other, TEST)
    assert judge(other, replace(said, classes=tuple(FACES.classes)), resamples=20).retrieval == paired.first


def test_a_collapsed_embedding_is_named_where_its_figures_are(recognizer):
    network = untrained(0)
    with torch.no_grad():
        for parameter in network.encoder.parameters():
            parameter.zero_()
        parameter.fill_(1.0)
    fallen = Recognizer.build(network, FACES.split("train"), VALIDATION)
    evaluation = evaluate(fallen, TEST, resamples=0)
    assert evaluation.to_dict()["retrieval"]["collapsed"]
    assert evaluation.retrieval.recall_at_10 == 0
    assert evaluation_tables(evaluation)[-1].caption.startswith(COLLAPSED)
    assert COLLAPSED in figures.drawn(figure_tables.retrieval_table({"": evaluation}))
    compared = compare(recognizer, fallen, TEST, resamples=20)
    assert comparison_tables(compared, ["one", "two"])[-1].caption.startswith(f"two: {COLLAPSED}")
    assert compared.retrieval.differences["recall_at_1"].difference == -compared.retrieval.first.recall_at_1


def test_a_healthy_embedding_is_not_named_collapsed(recognizer):
    evaluation = evaluate(recognizer, TEST, resamples=0)
    assert not evaluation.retrieval.collapsed
    assert "collapsed" not in figure_tables.retrieval_table({"": evaluation}).caption


def test_what_cannot_be_judged_is_told(recognizer):
    with pytest.raises(DataError, match="holds no faces to judge"):
        evaluate(recognizer, TEST.subset([]))
    strange = TEST.with_labels(TEST.labels, [*TEST.classes[:-1], "bored"])
    with pytest.raises(DataError, match="the data also names bored"):
        evaluate(recognizer, strange)
    six = FACES.subset(FACES.labels < 6).with_labels(FACES.labels[FACES.labels < 6], FACES.classes[:6])
    smaller = Recognizer.build(untrained(0, 6), six.split("train"), six.split("validation"))
    with pytest.raises(DataError, match="only recognisers of the same classes can be compared"):
        compare(recognizer, smaller, six.split("test"))
