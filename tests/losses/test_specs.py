"""Losses and miners as parts of a recipe: names, errors, documents, round trips."""

import subprocess
import sys

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from ferembed.losses import AnyLoss, AnyMiner, LossSpec, MinerSpec, loss_names, make_loss, make_miner, miner_names

ANY = TypeAdapter(tuple[AnyLoss, ...])


class SmallRecipe(BaseModel):
    losses: tuple[AnyLoss, ...]


def test_unknown_names_are_answered_with_the_known_ones():
    for make, kind, names in ((make_loss, "loss", loss_names()), (make_miner, "miner", miner_names())):
        with pytest.raises(ValueError, match=f"unknown {kind} 'hardd'") as failure:
            make("hardd")
        assert all(name in str(failure.value) for name in names)
    with pytest.raises(ValueError, match="Did you mean 'supcon'"):
        make_loss("supcn")


def test_a_recipe_names_the_field_and_the_known_losses():
    with pytest.raises(ValidationError) as failure:
        SmallRecipe(losses=[{"name": "cross_entropy"}, {"name": "tripled", "weight": 2}])
    (error,) = failure.value.errors()
    assert error["loc"] == ("losses", 1)
    assert "unknown loss 'tripled'" in error["msg"]
    assert all(name in error["msg"] for name in loss_names())


def test_a_recipe_names_a_wrong_parameter():
    with pytest.raises(ValidationError) as failure:
        SmallRecipe(losses=[{"name": "supcon", "temprature": 0.1}, {"name": "triplet", "miner": "hrad"}])
    unknown, miner = failure.value.errors()
    assert unknown["loc"] == ("losses", 0, "supcon", "temprature")
    assert miner["loc"] == ("losses", 1, "triplet", "miner")
    assert "easy_positive" in miner["msg"]


def test_a_loss_without_a_name_says_so():
    with pytest.raises(ValidationError, match="a loss needs a name; there are contrastive"):
        ANY.validate_python([{"weight": 1.0}])


@pytest.mark.parametrize("bad", [{"weight": -1}, {"weight": float("nan")}, {"temperature": 0}, {"temperature": "warm"}])
def test_values_out_of_range_are_refused(bad):
    with pytest.raises(ValidationError, match=next(iter(bad))):
        make_loss("supcon", **bad)


@pytest.mark.parametrize("name", loss_names())
def test_a_loss_survives_its_recipe(name):
    spec = make_loss(name, weight=0.25)
    assert ANY.validate_python([spec.model_dump()]) == (spec,)
    assert ANY.validate_json(ANY.dump_json((spec,))) == (spec,)
    assert ANY.validate_python([name]) == (make_loss(name),)


@pytest.mark.parametrize("name", miner_names())
def test_a_miner_survives_its_recipe(name):
    adapter = TypeAdapter(AnyMiner)
    assert adapter.validate_python(name) == make_miner(name)
    assert adapter.validate_python(make_miner(name).model_dump()) == make_miner(name)


def test_margins_keep_their_kind():
    for margin in (0.3, "soft", (0.1, 0.5)):
        assert make_loss("triplet", margin=margin).margin == margin
    for margin in (0, -0.1, "hard", (), (0.1, 0)):
        with pytest.raises(ValidationError, match="margin"):
            make_loss("triplet", margin=margin)


@pytest.mark.parametrize("spec", [*LossSpec.known.values(), *MinerSpec.known.values()], ids=lambda spec: spec.__name__)
def test_every_docstring_has_its_sections_and_every_field_its_meaning(spec):
    for section in ("Notes\n", "Batch: ", "Sampler: ", "Related: ", "Examples\n", "References\n"):
        assert section in spec.__doc__
    for field, info in spec.model_fields.items():
        assert info.description or field == "name"


def test_specifications_load_without_torch():
    code = "import sys, ferembed.losses as l; l.make_loss('triplet', miner='hard'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
