"""Do the tests of maps tell right maps from wrong ones?"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from known_evidence import spot_faces, spot_recognizer
from scipy.integrate import trapezoid
from scipy.stats import spearmanr

from ferembed import explain_class
from ferembed.explain import METHODS, deletion_curve, insertion_curve, randomisation_test
from ferembed.explain.methods import Method

CORNERS = [(4, 30), (33, 9), (20, 20)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_a_right_map_beats_a_random_and_a_reversed_one(method, channels):
    recognizer, faces = spot_recognizer(channels), spot_faces(CORNERS, channels)
    right = explain_class(recognizer, faces, method)
    random = replace(right, maps=np.random.default_rng(0).random(right.maps.shape, np.float32))
    reversed_ = replace(right, maps=1 - right.maps)
    fill = {"fill": 0.3}
    deleted = [deletion_curve(recognizer, each, **fill).auc for each in (right, random, reversed_)]
    inserted = [insertion_curve(recognizer, each, **fill).auc for each in (right, random, reversed_)]
    assert (deleted[0] < deleted[1] - 0.1).all()
    assert (deleted[1] < deleted[2] - 0.1).all()
    assert (inserted[0] > inserted[1] + 0.1).all()
    assert (inserted[1] > inserted[2] + 0.1).all()


def test_curves_lead_from_the_face_to_grey_and_back(small, drawn):
    faces = drawn.images[:3]
    saliency = explain_class(small, faces, "gradient", voter="softmax")
    deletion, insertion = deletion_curve(small, saliency, steps=7), insertion_curve(small, saliency, steps=7)
    codes = [small.classes_.tolist().index(name) for name in saliency.target]
    grey = small.voters["softmax"].predict_proba(small.encode(np.full((3, 48, 48), 0.5, np.float32)))
    for curve, ends in ((deletion, (0, -1)), (insertion, (-1, 0))):
        assert curve.probability.shape == (3, 8)
        assert curve.share.tolist() == [pytest.approx(step / 7) for step in range(8)]
        np.testing.assert_allclose(curve.probability[:, ends[0]], saliency.probability, atol=1e-5)
        np.testing.assert_allclose(curve.probability[:, ends[1]], grey[np.arange(3), codes], atol=1e-5)
        np.testing.assert_allclose(curve.auc, trapezoid(curve.probability, curve.share, axis=1))


def test_curves_say_what_is_wrong(small, drawn):
    saliency = explain_class(small, drawn.images[:1], "gradient")
    with pytest.raises(ValueError, match="steps must be at least 1 and fill from 0 to 1, not 0 and 0.5"):
        deletion_curve(small, saliency, steps=0)
    with pytest.raises(ValueError, match="not 24 and 2"):
        insertion_curve(small, saliency, fill=2)


@pytest.mark.parametrize(
    ("method", "parameters", "left"),
    [
        ("gradient", {}, 0.65),
        ("smoothgrad", {"samples": 8}, 0.65),
        ("integrated_gradients", {"steps": 8}, 0.75),  # its factor, face less grey, needs no network
        ("gradcam", {}, 0.5),
    ],
)
def test_maps_forget_with_the_network(small, drawn, method, parameters, left):
    weights = {name: value.clone() for name, value in small.encoder.state_dict().items()}
    test = randomisation_test(small, drawn.split("test").images[:16], method, voter="softmax", **parameters)
    assert test.layers == ("head", *(f"backbone.{part}" for part in PARTS))
    assert test.correlation.shape == (7, 16)
    assert test.correlation[-1].mean() < left
    if method != "gradcam":  # which looks at one layer and has forgotten all once the layers above it have
        assert test.correlation[-1].mean() < test.correlation[0].mean() - 0.03
    assert all(torch.equal(weights[name], value) for name, value in small.encoder.state_dict().items())


PARTS = ("layer4", "layer3", "layer2", "layer1", "bn1", "conv1")


def test_a_map_of_the_image_alone_is_found_out(small, drawn, monkeypatch):
    def edges(question):
        return question.images[:, 0].diff(dim=1, prepend=question.images[:, 0, :1]).abs()

    monkeypatch.setitem(METHODS, "edges", Method(edges, METHODS["gradient"].normalise))
    test = randomisation_test(small, drawn.images[:3], "edges")
    np.testing.assert_allclose(test.correlation, 1)


def test_randomisation_hangs_on_its_seed_alone(small, drawn):
    first, same, other = (randomisation_test(small, drawn.images[:2], seed=seed).correlation for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.01


def test_rank_correlation_is_spearmans(small, drawn, monkeypatch):
    first, second = (np.random.default_rng(seed).integers(0, 30, (3, 48, 48)).astype(np.float32) for seed in (0, 1))
    answers = iter([first, *[first + shift * second for shift in (0.0, 1.0, 3.0)], *[np.ones_like(first)] * 4])
    monkeypatch.setitem(METHODS, "told", Method(lambda question: torch.from_numpy(next(answers)), lambda raw: raw))
    test = randomisation_test(small, drawn.images[:3], "told")
    for row in range(3):
        np.testing.assert_allclose(test.correlation[0], 1)
        for step, shift in ((1, 1.0), (2, 3.0)):
            expected = spearmanr(first[row].ravel(), (first + shift * second)[row].ravel()).statistic
            assert test.correlation[step, row] == pytest.approx(expected)
    assert (test.correlation[3:] == 0).all()
