"""Proxy losses against naive ones on the same proxies."""

import naive_losses as naive
import numpy as np
import pytest
import torch

from ferembed.losses import Outputs, make_loss

N, D, C = 20, 6, 4


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return naive.unit(rng.normal(size=(N, D))), rng.integers(0, C - 1, N)  # the last class is absent


def build(name, **parameters):
    torch.manual_seed(0)
    return make_loss(name, **parameters).build(num_classes=C, embedding_dim=D)


def value(loss, x, y):
    return loss(Outputs(torch.tensor(x, dtype=torch.float32), torch.tensor(y))).item()


def only_parameter(loss):
    (parameter,) = loss.parameters()
    return parameter.detach().double().numpy()


@pytest.mark.parametrize(("margin", "alpha"), [(0.1, 32), (0.0, 8), (0.4, 2)])
def test_proxy_anchor(points, margin, alpha):
    loss = build("proxy_anchor", margin=margin, alpha=alpha)
    expected = naive.proxy_anchor(*points, only_parameter(loss), margin, alpha)
    assert value(loss, *points) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("scale", [1, 9, 20])
def test_proxy_nca(points, scale):
    loss = build("proxy_nca", scale=scale)
    assert value(loss, *points) == pytest.approx(naive.proxy_nca(*points, only_parameter(loss), scale), rel=1e-4)


@pytest.mark.parametrize("scale", [9, 20])
def test_proxy_nca_keeps_the_worst_images(scale):
    loss = build("proxy_nca", scale=scale)
    proxies = torch.eye(C, D)
    proxies[1] = -proxies[0]
    loss.loss.proxies.data = proxies
    opposite = Outputs(proxies[1:2].clone().requires_grad_(), torch.tensor([0]))
    assert loss(opposite).item() == pytest.approx(4 * scale, rel=1e-3)


@pytest.mark.parametrize(("margin", "scale"), [(28.6, 16), (10, 64), (80, 4)])
def test_arcface(points, margin, scale):
    loss = build("arcface", margin=margin, scale=scale)
    weights = only_parameter(loss).T[:, None]
    expected = naive.margin_softmax(*points, weights, scale, naive.arc(margin))
    assert value(loss, *points) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("centers", [1, 3])
def test_subcenter_arcface(points, centers):
    loss = build("subcenter_arcface", centers=centers)
    weights = only_parameter(loss).T.reshape(C, centers, D)
    assert value(loss, *points) == pytest.approx(naive.margin_softmax(*points, weights, 16, naive.arc(28.6)), rel=1e-4)


@pytest.mark.parametrize(("margin", "scale"), [(0.35, 16), (0.0, 64), (0.9, 4)])
def test_cosface(points, margin, scale):
    loss = build("cosface", margin=margin, scale=scale)
    weights = only_parameter(loss).T[:, None]
    expected = naive.margin_softmax(*points, weights, scale, lambda cosine: cosine - margin)
    assert value(loss, *points) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["arcface", "subcenter_arcface"])
@pytest.mark.parametrize("side", [1, -1])
def test_gradient_is_finite_on_the_class_weight_itself(name, side):
    loss = build(name)
    weight = next(loss.parameters())
    weight.data.zero_()
    weight.data[0] = 1.0
    x = torch.zeros(2, D)
    x[:, 0] = side
    x.requires_grad_()
    loss(Outputs(x, torch.tensor([0, 1]))).backward()
    assert torch.isfinite(x.grad).all()
    assert torch.isfinite(weight.grad).all()


def test_center_follows_the_papers_rule(points):
    x, y = points
    loss = build("center", rate=0.3)
    centers = np.zeros((C, D))
    for _ in range(3):
        expected = np.mean([np.sum((v - centers[label]) ** 2) / 2 for v, label in zip(x, y, strict=True)])
        assert value(loss, x, y) == pytest.approx(expected, rel=1e-4)
        old = centers.copy()
        for c in range(C):
            own = x[y == c]
            centers[c] = old[c] - 0.3 * (old[c] - own).sum(axis=0) / (1 + len(own))
        np.testing.assert_allclose(loss.centers.numpy(), centers, atol=1e-5)


def test_centers_rest_in_evaluation(points):
    loss = build("center").eval()
    value(loss, *points)
    assert not loss.centers.any()
