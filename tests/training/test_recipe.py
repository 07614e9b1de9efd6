import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ferembed.training import Recipe, RecipeError, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_load_describe_themselves_and_round_trip(name):
    recipe = Recipe.named(name)
    assert recipe.description
    assert Recipe.from_yaml_text(recipe.to_yaml()) == recipe


def test_every_field_is_documented():
    def undocumented(model, prefix=""):
        for name, field in model.model_fields.items():
            if not field.description:
                yield prefix + name
            if hasattr(field.annotation, "model_fields"):
                yield from undocumented(field.annotation, f"{prefix}{name}.")

    assert list(undocumented(Recipe)) == []


def test_recipes_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Recipe().epochs = 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epochs: 3\noptimizer:\n  name: sgd\n  lr: fast\n", r"r\.yaml, line 4: optimizer\.lr: .*number.*'fast'"),
        ("epochs: 3\nepoch: 4\n", r"r\.yaml, line 2: there is no field 'epoch'"),
        ("epochs: 0\n", r"r\.yaml, line 1: epochs: .*greater than or equal to 1 \(got 0\)"),
        ("losses:\n- name: supcon\n  temprature: 1\n", r"r\.yaml, line 3: there is no field 'losses\.0\.temprature'"),
        ("losses:\n- name: supcom\n", r"r\.yaml, line 2: losses\.0: unknown loss 'supcom'; .*Did you mean 'supcon'\?$"),
        ("losses:\n- {name: triplet, miner: hrad}\n", r"r\.yaml, line 2: losses\.0\.miner: unknown .* all, semihard, "),
        ("losses: []\n", r"r\.yaml, line 1: losses: .*at least 1 item"),
        ("batches: {kind: pairs, size: 33}\n", "even size, not 33"),
        ("losses: [{name: contrastive, pairs: twins}]\n", r"r\.yaml: .*set batches\.kind to pairs, not natural"),
        ("- 1\n- 2\n", "must hold a mapping"),
        ("a: [1\n", "not valid YAML"),
    ],
)
def test_errors_name_file_line_and_field(tmp_path, text, sentence):
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=sentence) as failure:
        Recipe.from_yaml(path)
    assert "not valid YAML" in sentence or "\n" not in str(failure.value)


def test_unknown_recipe_lists_the_names(tmp_path):
    with pytest.raises(RecipeError, match="drawn, .*quick"):
        Recipe.named("fast")
    with pytest.raises(RecipeError, match=r"cannot read the recipe .*gone\.yaml"):
        Recipe.named(str(tmp_path / "gone.yaml"))


def test_overrides_reach_nested_fields_and_leave_the_original():
    recipe = Recipe()
    changed = recipe.override(["optimizer.lr=0.01", "losses.1.temperature=0.2", "encoder.backbone_args.drop_rate=0.1"])
    assert changed.optimizer.lr == 0.01
    assert changed.losses[1].temperature == 0.2
    assert changed.encoder.backbone_args == {"drop_rate": 0.1}
    assert recipe == Recipe()
    assert sorted(changed.differences(recipe)) == [
        "encoder.backbone_args.drop_rate: 0.1 / None",
        "losses.1.temperature: 0.2 / 0.1",
        "optimizer.lr: 0.01 / 0.1",
    ]


def test_the_contrastive_loss_compares_what_its_batches_are_made_of():
    recipe = Recipe().override(["losses=[contrastive]"])
    for kind, pairs in (("natural", "batch"), ("class_balanced", "batch"), ("pairs", "twins")):
        assert recipe.override({"batches.kind": kind}).losses_of_batches[0].pairs == pairs
    paired = recipe.override(["batches.kind=pairs"])
    assert paired.override(["losses.0.miner=hard"]).losses_of_batches[0].pairs == "batch"
    assert paired.override(["losses.0.pairs=batch"]).losses_of_batches[0].pairs == "batch"
    assert not paired.override(["losses.0.pairs=twins"]).differences(paired)
    for kind in ("natural", "class_balanced"):
        with pytest.raises(RecipeError, match=rf"batches\.kind to pairs, not {kind}, or leave pairs out"):
            recipe.override(["losses.0.pairs=twins", f"batches.kind={kind}"])


def test_what_changes_no_result_is_no_difference():
    assert Recipe().override(["workers=3", "description=the same"]).differences(Recipe()) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("optimiser.lr=1", "no field 'optimiser.lr'"),
        ("optimizer.rate=1", "no field 'optimizer.rate'"),
        ("losses.7.weight=1", "no field 'losses.7.weight'"),
        ("optimizer.lr", "reads field=value"),
        ("optimizer.lr=-1", "optimizer.lr: .*greater than 0"),
        ("epochs.first=1", "no field 'epochs.first'"),
    ],
)
def test_wrong_overrides_say_what_is_wrong(change, sentence):
    with pytest.raises(RecipeError, match=sentence):
        Recipe().override([change])


@settings(max_examples=30)
@given(st.text(max_size=60))
def test_any_text_is_a_recipe_or_a_recipe_error(text):
    try:
        assert isinstance(Recipe.from_yaml_text(text), Recipe)
    except RecipeError:
        pass
