"""What holds of every loss by name: finite gradients, no order, a zero with a graph, half precision, saved state."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F

from ferembed.losses import CombinedLoss, Outputs, loss_names, make_loss, miner_names

C, V, D = 5, 8, 12


def outputs(labels, seed=0, embeddings=None, **changes):
    """A batch with every field given; tensors that a network would make require gradients."""
    generator = torch.Generator().manual_seed(seed)
    n = len(labels)
    x = F.normalize(torch.randn(n, D, generator=generator), dim=1) if embeddings is None else embeddings
    fields = {
        "embeddings": x,
        "labels": torch.as_tensor(labels, dtype=torch.int64),
        "logits": 3 * torch.randn(n, C, generator=generator),
        "votes": torch.rand(n, V, generator=generator).softmax(dim=1),
        "vote_logits": torch.randn(n, V, generator=generator),
        "teacher_logits": torch.randn(n, C, generator=generator),
        **changes,
    }
    for name in ("embeddings", "logits", "vote_logits"):
        fields[name] = fields[name].detach().requires_grad_()
    return Outputs(**fields)


def build(name, **parameters):
    torch.manual_seed(0)
    return make_loss(name, **parameters).build(num_classes=C, embedding_dim=D, class_counts=[5, 4, 3, 2, 1])


def gradients(batch):
    given = (batch.embeddings, batch.logits, batch.vote_logits)
    return [tensor.grad for tensor in given if tensor.grad is not None]


def with_miners():
    """Every loss by name, and the mining ones with every miner."""
    for name in loss_names():
        yield name, {}
        if "miner" in type(make_loss(name)).model_fields:
            for miner in miner_names():
                yield name, {"miner": miner}


CASES = [*with_miners(), ("contrastive", {"pairs": "twins"})]
case = pytest.mark.parametrize(("name", "parameters"), CASES, ids=["-".join((n, *p.values())) for n, p in CASES])


@case
def test_gradients_are_finite_even_where_embeddings_coincide(name, parameters):
    points = F.normalize(torch.randn(8, D, generator=torch.Generator().manual_seed(1)), dim=1).repeat(4, 1)
    mixed = torch.rand(32, C, generator=torch.Generator().manual_seed(2)).softmax(dim=1)
    for embeddings, targets in product((None, points, points[:1].repeat(32, 1)), (None, mixed)):
        batch = outputs([0, 1, 2, 2] * 8, embeddings=embeddings, targets=targets)
        build(name, **parameters)(batch).backward()
        assert gradients(batch)
        assert all(torch.isfinite(g).all() for g in gradients(batch))


@case
def test_order_of_the_batch_does_not_matter(name, parameters):
    batch = outputs([0, 1, 2, 2, 3, 0, 1, 1, 4, 4] * 3)
    order = torch.randperm(15, generator=torch.Generator().manual_seed(2))
    rows = torch.stack([2 * order, 2 * order + 1], dim=1).flatten()  # twins stay together
    shuffled = Outputs(**{k: v[rows] for k, v in vars(batch).items() if v is not None})
    loss = build(name, **parameters).eval()
    assert loss(shuffled).item() == pytest.approx(loss(batch).item(), rel=1e-4)


@case
@pytest.mark.parametrize("labels", [[], [3], [0, 1, 2, 3], [2, 2, 2, 2]], ids=["empty", "one", "distinct", "alike"])
def test_poor_batches_give_a_finite_loss_with_a_graph(name, parameters, labels):
    labels = labels * 2 if "pairs" in parameters else labels
    batch = outputs(labels)
    loss = build(name, **parameters)(batch)
    loss.backward()
    assert loss.shape == ()
    assert loss.isfinite()
    assert gradients(batch)
    assert all(torch.isfinite(g).all() for g in gradients(batch))


NEEDING_PAIRS = [c for c in CASES if c[0] in ("triplet", "ntxent", "circle")]


@pytest.mark.parametrize(("name", "parameters"), NEEDING_PAIRS)
@pytest.mark.parametrize("labels", [[], [3], [0, 1, 2, 3], [2, 2, 2, 2]])
def test_no_usable_pair_gives_zero(name, parameters, labels):
    assert build(name, **parameters)(outputs(labels)).item() == 0


def test_faces_without_votes_give_zero():
    for name in ("soft_contrastive", "soft_cross_entropy"):
        assert build(name)(outputs([0, 0, 1, 1], votes=torch.zeros(4, V))).item() == 0


@case
def test_half_precision_outputs_are_computed_in_float32(name, parameters):
    batch = outputs([0, 1, 2, 2, 3, 0, 1, 1] * 2)
    half = Outputs(
        **{k: v.detach().bfloat16() if v.is_floating_point() else v for k, v in vars(batch).items() if v is not None}
    )
    loss = build(name, **parameters).eval()
    expected = loss(half.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = loss(half)
    assert result.dtype == torch.float32
    assert result.item() == expected.item()


@pytest.mark.parametrize("name", loss_names())
def test_what_a_loss_says_it_needs_is_what_it_needs(name):
    needs = make_loss(name).needs
    batch = outputs([0, 0, 1, 1])
    build(name)(Outputs(batch.embeddings, batch.labels, **{field: getattr(batch, field) for field in needs}))
    for missing in needs:
        given = {field: getattr(batch, field) for field in needs - {missing}}
        with pytest.raises(ValueError, match=f"needs '{missing}'"):
            build(name)(Outputs(batch.embeddings, batch.labels, **given))


def everything():
    specs = [make_loss(name, weight=1 + i / 10) for i, name in enumerate(loss_names())]
    return CombinedLoss(specs, num_classes=C, embedding_dim=D, class_counts=[5, 4, 3, 2, 1])


def test_the_sum_is_weighted_and_its_parts_are_not():
    batch, loss = outputs([0, 1, 2, 2, 3, 0, 1, 1] * 2), everything().eval()
    total, parts = loss(batch)
    assert list(parts) == list(loss_names())
    assert total.item() == pytest.approx(sum((1 + i / 10) * p.item() for i, p in enumerate(parts.values())), rel=1e-5)
    assert total.requires_grad
    assert not any(part.requires_grad for part in parts.values())


def test_state_holds_proxies_centres_and_the_warm_up():
    torch.manual_seed(1)
    trained, fresh = everything(), everything()
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.1)
    for seed in range(3):
        optimizer.zero_grad()
        trained(outputs([0, 1, 2, 2, 3, 0, 1, 1] * 2, seed=seed))[0].backward()
        optimizer.step()
    batch = outputs([0, 1, 2, 2] * 4, seed=9)
    before = fresh.eval()(batch)[1]
    fresh.load_state_dict(trained.state_dict())
    after, expected = fresh(batch)[1], trained.eval()(batch)[1]
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"proxy_anchor", "proxy_nca", "arcface", "cosface", "subcenter_arcface", "center"}
    assert after == expected


def test_a_loss_is_given_once():
    twice = [make_loss("supcon"), make_loss("supcon", temperature=0.2)]
    with pytest.raises(ValueError, match="given again: supcon"):
        CombinedLoss(twice, num_classes=C, embedding_dim=D)
    with pytest.raises(ValueError, match="at least one loss"):
        CombinedLoss([], num_classes=C, embedding_dim=D)
