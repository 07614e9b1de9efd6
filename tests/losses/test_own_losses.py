"""Losses and miners that a user defines: the example of CONTRIBUTING.md, and what a name of one's own may be."""

import re
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

import ferembed.losses
from ferembed import Recipe, RecipeError
from ferembed.losses import CombinedLoss, LossSpec, MinerSpec, Outputs, loss_names, make_loss

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.fixture(autouse=True)
def _names_are_forgotten(monkeypatch):
    for base in (LossSpec, MinerSpec):
        monkeypatch.setattr(base, "known", dict(base.known))


def contributed():
    """The names that the code blocks of the section on losses define."""
    section = CONTRIBUTING.read_text().partition("## A loss\n")[2].partition("\n## ")[0]
    names = {}
    for block in re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL):
        exec(block, names)
    return names


def test_the_worked_example_is_learned_from():
    names = contributed()
    x = names["embeddings"].detach().double().numpy()
    distances = [[np.linalg.norm(a - b) for b in x] for a in x]
    expected = np.log(np.mean(np.exp(-3 * np.square(distances))))
    assert names["parts"]["uniformity"].item() == pytest.approx(expected, rel=1e-4)
    assert names["total"].item() == pytest.approx(np.log(3) + 0.1 * expected, rel=1e-4)
    assert names["embeddings"].grad.abs().max() > 0


def test_the_worked_example_is_one_loss_among_others():
    names = contributed()
    recipe = names["recipe"]
    assert Recipe.from_yaml_text(recipe.to_yaml()) == recipe
    assert loss_names()[-1] == "uniformity"
    assert make_loss("uniformity") == names["Uniformity"]()
    assert "#/$defs/Uniformity" in str(Recipe.model_json_schema()["properties"]["losses"])
    with pytest.raises(RecipeError, match=r"losses\.1\.sharpness: input should be greater than 0 \(got 0\)"):
        recipe.override(["losses.1.sharpness=0"])
    with pytest.raises(RecipeError, match=r"unknown loss 'uniformly'; .*Did you mean 'uniformity'"):
        recipe.override(["losses.1.name=uniformly"])


def scaled(factor):
    """A loss as a cell of a notebook defines it."""

    class Scaled(LossSpec):
        name: Literal["scaled"] = "scaled"

        def value(self, outputs):
            return factor * outputs.embeddings.sum()

    return Scaled


def test_a_class_defined_anew_takes_the_place_of_its_older_self():
    older, newer = scaled(2)(), scaled(3)()
    batch = Outputs(torch.ones(1, 1), torch.tensor([0]))

    def total(loss):
        return CombinedLoss(Recipe(losses=[loss]).losses, num_classes=2, embedding_dim=1)(batch)[0].item()

    assert total("scaled") == total(newer) == 3
    assert total(older) == 2


def test_a_name_belongs_to_one_class():
    with pytest.raises(ValueError, match=r"Mine: the loss 'supcon' is ferembed\.losses\.contrastive\.SupCon already"):

        class Mine(LossSpec):
            name: Literal["supcon"] = "supcon"

    assert make_loss("supcon") == ferembed.losses.SupCon()


def test_parts_are_learned_saved_and_moved_in_training_alone():
    class Drift(LossSpec):
        name: Literal["drift"] = "drift"

        def parts(self, sizes):
            return {
                "point": torch.nn.Parameter(torch.ones(sizes.embedding_dim)),
                "seen": torch.nn.Buffer(torch.zeros(sizes.num_classes)),
            }

        def value(self, outputs, point, seen):
            return (outputs.embeddings @ point).mean() * (1 + seen.sum())

        def update(self, outputs, point, seen):
            seen += outputs.labels.bincount(minlength=len(seen))

    loss = CombinedLoss([make_loss("drift")], num_classes=2, embedding_dim=3)
    batch = Outputs(torch.full((2, 3), 2.0), torch.tensor([0, 1]))
    assert [name for name, _ in loss.named_parameters()] == ["losses.drift.point"]
    assert [loss(batch)[0].item() for _ in range(2)] == [6, 18]
    assert [loss.eval()(batch)[0].item() for _ in range(2)] == [30, 30]
    resumed = CombinedLoss([make_loss("drift")], num_classes=2, embedding_dim=3)
    resumed.load_state_dict(loss.state_dict())
    assert resumed(batch)[0].item() == 30


def test_a_miner_of_ones_own_feeds_a_loss():
    class First(MinerSpec):
        name: Literal["first"] = "first"

        def mine(self, embeddings, labels, margin):
            return tuple(torch.tensor([row]) for row in (0, 1, 2))

    (triplet,) = Recipe().override(["losses=[{name: triplet, miner: first, margin: 0.5}]"]).losses
    x = torch.eye(3)[[0, 1, 0, 2]]
    loss = triplet.build(num_classes=2, embedding_dim=3)
    assert loss(Outputs(x, torch.tensor([0, 0, 1, 1]))).item() == pytest.approx(2**0.5 + 0.5, rel=1e-5)


def test_every_class_of_the_library_can_be_imported():
    for spec in (*LossSpec.known.values(), *MinerSpec.known.values()):
        assert spec.__name__ in ferembed.losses.__all__
        assert getattr(ferembed.losses, spec.__name__) is spec
