"""Losses of the heads against naive ones, and their corrections of imbalance."""

import naive_losses as naive
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ferembed.losses import Outputs, make_loss

N, C = 16, 5
COUNTS = [1000, 30, 1, 400, 7]


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    return 3 * rng.normal(size=(N, C)), rng.integers(0, C, N)


def value(name, scores, counts=COUNTS, **parameters):
    logits, y = scores
    loss = make_loss(name, **parameters).build(num_classes=C, embedding_dim=4, class_counts=counts)
    return loss(Outputs(torch.zeros(N, 4), torch.tensor(y), torch.tensor(logits, dtype=torch.float32))).item()


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy(scores, smoothing):
    logits, y = scores
    expected = naive.cross_entropy(logits, np.eye(C)[y], smoothing)
    torchs = F.cross_entropy(torch.tensor(logits), torch.tensor(y), label_smoothing=smoothing).item()
    assert value("cross_entropy", scores, label_smoothing=smoothing) == pytest.approx(expected, rel=1e-5)
    assert expected == pytest.approx(torchs)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("beta", [None, 0.9, 0.999])
def test_class_weights(scores, smoothing, beta):
    logits, y = scores
    n = np.array(COUNTS)
    raw = 1 / n if beta is None else (1 - beta) / (1 - beta**n)
    weights = raw / ((raw * n).sum() / n.sum())
    parameters = {"class_weights": "balanced"} if beta is None else {"class_weights": "effective_number", "beta": beta}
    expected = naive.cross_entropy(logits, np.eye(C)[y], smoothing, weights)
    assert value("cross_entropy", scores, label_smoothing=smoothing, **parameters) == pytest.approx(expected, rel=1e-5)


def test_effective_number_runs_from_none_to_balanced(scores):
    def effective(beta):
        return value("cross_entropy", scores, class_weights="effective_number", beta=beta)

    assert effective(0.0) == pytest.approx(value("cross_entropy", scores), rel=1e-6)
    assert effective(1 - 1e-9) == pytest.approx(value("cross_entropy", scores, class_weights="balanced"), rel=1e-4)


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 2.0])
def test_logit_adjustment(scores, tau):
    logits, y = scores
    prior = np.array(COUNTS) / sum(COUNTS)
    expected = naive.cross_entropy(logits, np.eye(C)[y], 0.1, offsets=tau * np.log(prior))
    assert value("logit_adjustment", scores, tau=tau, label_smoothing=0.1) == pytest.approx(expected, rel=1e-5)


def test_balanced_softmax(scores):
    logits, y = scores
    terms = np.array(COUNTS) * np.exp(logits)
    expected = -np.log(terms[np.arange(N), y] / terms.sum(axis=1)).mean()
    assert value("balanced_softmax", scores) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("logit_adjustment", {}), ("balanced_softmax", {}), ("cross_entropy", {"class_weights": "balanced"})],
)
def test_correction_of_imbalance_asks_for_counts(scores, name, parameters):
    with pytest.raises(ValueError, match="needs class_counts"):
        value(name, scores, counts=None, **parameters)
    with pytest.raises(ValueError, match=r"at least one training image of each of the 5 classes.*\[3, 0, 1, 2, 2\]"):
        value(name, scores, counts=[3, 0, 1, 2, 2], **parameters)


def test_squared_hinge(scores):
    logits, y = scores
    assert value("squared_hinge", scores) == pytest.approx(naive.squared_hinge(logits, y), rel=1e-5)


@pytest.mark.parametrize("name", ["cross_entropy", "squared_hinge"])
def test_mixed_targets_are_learned_in_proportion(scores, name):
    logits, y = (torch.tensor(a) for a in scores)
    first, second = F.one_hot(y, C).float(), F.one_hot(y.flip(0), C).float()
    loss = make_loss(name).build(num_classes=C, embedding_dim=4)

    def of(targets):
        return loss(Outputs(torch.zeros(N, 4), y, logits, targets=targets)).item()

    assert of(0.7 * first + 0.3 * second) == pytest.approx(0.7 * of(first) + 0.3 * of(second), rel=1e-5)
    assert of(first) == pytest.approx(of(None), rel=1e-6)


def test_soft_cross_entropy_leaves_out_faces_without_votes():
    rng = np.random.default_rng(0)
    logits, votes = rng.normal(size=(N, 8)), rng.dirichlet(np.ones(8), N)
    votes[::3] = 0
    kept = votes.sum(axis=1) > 0
    loss = make_loss("soft_cross_entropy").build(num_classes=C, embedding_dim=4)

    def of(votes):
        votes, scores = torch.tensor(votes).float(), torch.tensor(logits).float()
        return loss(Outputs(torch.zeros(N, 4), torch.zeros(N).long(), votes=votes, vote_logits=scores)).item()

    assert of(votes) == pytest.approx(naive.cross_entropy(logits[kept], votes[kept]), rel=1e-5)
    assert of(0 * votes) == 0


def test_distillation_draws_the_head_towards_its_teachers_at_any_temperature(scores):
    logits, y = torch.tensor(scores[0]).float(), torch.tensor(scores[1])
    teacher = logits.flip(1)

    def slope(taught, temperature):
        mine = logits.clone().requires_grad_()
        loss = make_loss("distillation", temperature=temperature).build(num_classes=C, embedding_dim=4)
        loss(Outputs(torch.zeros(N, 4), y, mine, teacher_logits=taught)).backward()
        return mine.grad

    for t in (1.0, 2.0, 5.0):
        expected = t * ((logits / t).softmax(1) - (teacher / t).softmax(1)) / N
        torch.testing.assert_close(slope(teacher, t), expected)
        assert slope(logits + 3, t).abs().max() < 1e-6
