"""Pair and triplet losses against naive ones, and what any of them must do on poor batches."""

import naive_losses as naive
import numpy as np
import pytest
import torch
from naive_losses import unit

from ferembed.losses import Outputs, make_loss


def batch(n=24, d=8, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    return unit(rng.normal(size=(n, d))), rng.integers(0, classes, n)


def value(name, x, y, votes=None, targets=None, **parameters):
    loss = make_loss(name, **parameters).build(num_classes=4, embedding_dim=x.shape[1]).eval()
    soft = {
        k: torch.tensor(v, dtype=torch.float32) for k, v in (("votes", votes), ("targets", targets)) if v is not None
    }
    return loss(Outputs(torch.tensor(x, dtype=torch.float32), torch.tensor(y), **soft)).item()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("margin", [0.3, 1.0, 1.7])
def test_contrastive(margin, seed):
    x, y = batch(seed=seed)
    twins = value("contrastive", x, y, margin=margin, pairs="twins")
    assert twins == pytest.approx(naive.twins(x, y, margin), rel=1e-4)
    in_batch = value("contrastive", x, y, margin=margin)
    assert in_batch == pytest.approx(naive.batch_contrastive(x, y, margin), rel=1e-4)


def test_contrastive_counts_a_mined_pair_once():
    x, y = batch()
    d = naive.distances(x)
    triplets = [(a, p, n) for a, p, n in naive.all_triplets(y) if 0 < d[a, n] - d[a, p] <= 1.0]
    pull = [d[a, p] ** 2 / 2 for a, p in {(a, p) for a, p, _ in triplets}]
    push = [max(0, 1 - d[a, n]) ** 2 / 2 for a, n in {(a, n) for a, _, n in triplets}]
    expected = (np.mean(pull) + np.mean(push)) / 2
    assert value("contrastive", x, y, pairs="batch", miner="semihard") == pytest.approx(expected, rel=1e-4)


def test_twins_come_in_pairs():
    x, y = batch(n=5)
    with pytest.raises(ValueError, match=r"even number of images, not 5"):
        value("contrastive", x, y, pairs="twins")


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("margin", [0.1, 0.5, "soft"])
def test_triplet(margin, seed):
    x, y = batch(seed=seed)
    number = None if margin == "soft" else margin
    assert value("triplet", x, y, margin=margin, miner="all") == pytest.approx(naive.triplet(x, y, number), rel=1e-4)
    within = np.inf if number is None else number
    semihard = naive.triplet(x, y, number, keep=lambda d, a, p, n: 0 < d[a, n] - d[a, p] <= within)
    assert value("triplet", x, y, margin=margin, miner="semihard") == pytest.approx(semihard, rel=1e-4)


@pytest.mark.parametrize("margin", [0.1, 0.5])
def test_triplet_batch_hard(margin):
    x, y = batch()
    mined = value("triplet", x, y, margin=margin, miner={"name": "hard", "warm_up": 0})
    assert mined == pytest.approx(naive.batch_hard(x, y, margin), rel=1e-4)


def test_each_margin_trains_its_own_slice():
    x, y = batch(d=9)
    margins = (0.1, 0.3, 0.9)
    slices = [unit(x[:, 3 * i : 3 * i + 3]) for i in range(3)]
    expected = np.mean([naive.triplet(part, y, m) for part, m in zip(slices, margins, strict=True)])
    assert value("triplet", x, y, margin=margins, miner="all") == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ValueError, match="embedding of 8 does not split into 3 equal slices"):
        make_loss("triplet", margin=margins).build(num_classes=4, embedding_dim=8)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("temperature", [0.05, 0.1, 0.5])
def test_supcon_and_ntxent(temperature, seed):
    x, y = batch(seed=seed)
    y[0] = 9  # an anchor without a positive
    assert value("supcon", x, y, temperature=temperature) == pytest.approx(naive.supcon(x, y, temperature), rel=1e-4)
    assert value("ntxent", x, y, temperature=temperature) == pytest.approx(naive.ntxent(x, y, temperature), rel=1e-4)


def test_supcon_agrees_with_pytorch_metric_learning():
    from pytorch_metric_learning.losses import NTXentLoss, SupConLoss

    x, y = batch()
    points, labels = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    assert value("supcon", x, y) == pytest.approx(SupConLoss(temperature=0.1)(points, labels).item(), rel=1e-5)
    assert value("ntxent", x, y) == pytest.approx(NTXentLoss(temperature=0.1)(points, labels).item(), rel=1e-5)


def mixed(y):
    """Targets of faces blended with others of their batch."""
    rng = np.random.default_rng(3)
    share = rng.uniform(0.5, 1, len(y))[:, None]
    return share * np.eye(4)[y] + (1 - share) * np.eye(4)[rng.permutation(y)]


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_ntxent_takes_a_mixed_pair_for_partly_alike(temperature):
    x, y = batch()
    expected = naive.mixed_ntxent(x, mixed(y), temperature)
    assert value("ntxent", x, y, targets=mixed(y), temperature=temperature) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("margin", [0.5, 1.2])
def test_contrastive_takes_a_mixed_pair_for_partly_alike(margin):
    x, y = batch()
    expected = naive.mixed_twins(x, mixed(y), margin)
    twins = value("contrastive", x, y, targets=mixed(y), margin=margin, pairs="twins")
    assert twins == pytest.approx(expected, rel=1e-4)
    expected = naive.mixed_batch_contrastive(x, mixed(y), margin)
    in_batch = value("contrastive", x, y, targets=mixed(y), margin=margin)
    assert in_batch == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("supcon", {}), ("ntxent", {}), ("contrastive", {"pairs": "twins"})]
    + [("contrastive", {"miner": miner}) for miner in ("all", "semihard", "easy_positive")],
)
def test_targets_of_one_class_are_labels(name, parameters):
    x, y = batch()
    plain = value(name, x, y, **parameters)
    assert value(name, x, y, targets=np.eye(4)[y], **parameters) == pytest.approx(plain, rel=1e-6)
    assert value(name, x, y, targets=mixed(y), **parameters) != pytest.approx(plain, rel=1e-3)


def test_supcon_shares_mixed_faces_among_their_classes():
    x, y = batch()
    targets = mixed(y)
    expected = naive.weighted_supcon(x, naive.agreement(targets), 0.1)
    assert value("supcon", x, y, targets=targets) == pytest.approx(expected, rel=1e-4)


def fer_votes(n, seed=0):
    """Ten annotators' votes for each face as distributions, some rows without any."""
    rng = np.random.default_rng(seed)
    votes = rng.multinomial(10, rng.dirichlet(np.full(8, 0.3), n)) / 10
    votes[:: max(n // 4, 1)] = 0
    return votes


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_soft_contrastive(temperature, sharpness):
    x, y = batch()
    votes = fer_votes(len(y))
    usable = votes.sum(axis=1) > 0
    assert 0 < usable.sum() < len(y)
    expected = naive.weighted_supcon(x[usable], naive.agreement(votes[usable], sharpness), temperature)
    result = value("soft_contrastive", x, y, votes=votes, temperature=temperature, sharpness=sharpness)
    assert result == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_soft_contrastive_is_supcon_where_all_agree(sharpness):
    x, y = batch()
    soft = value("soft_contrastive", x, y, votes=np.eye(8)[y], sharpness=sharpness)
    assert soft == pytest.approx(value("supcon", x, y), rel=1e-6)


@pytest.mark.parametrize(("alpha", "beta", "base"), [(2, 50, 0.5), (1, 10, 0.0), (5, 20, 0.8)])
def test_multi_similarity(alpha, beta, base):
    x, y = batch()
    parameters = {"alpha": alpha, "beta": beta, "base": base}
    for miner, epsilon in (("all", None), ({"name": "multi_similarity", "epsilon": 0.1}, 0.1)):
        expected = naive.multi_similarity(x, y, **parameters, epsilon=epsilon)
        assert value("multi_similarity", x, y, miner=miner, **parameters) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("margin", "scale"), [(0.4, 80), (0.25, 16), (0.1, 4)])
def test_circle(margin, scale):
    x, y = batch()
    assert value("circle", x, y, margin=margin, scale=scale) == pytest.approx(
        naive.circle(x, y, margin, scale), rel=1e-4
    )
