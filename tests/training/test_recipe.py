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
        ("epochs: true\n", r"r\.yaml, line 1: epochs: .* whole number \(got True\)"),
        ("epochs: '3'\n", r"r\.yaml, line 1: epochs: .* whole number \(got '3'\)"),
        ("epochs: 3.0\n", r"r\.yaml, line 1: epochs: .* whole number \(got 3\.0\)"),
        ("seed: 1e26\n", r"r\.yaml, line 1: seed: .* whole number \(got 1e\+26\)"),
        (f"seed: {10**26}\n", r"r\.yaml, line 1: seed: .*less than"),
        ("optimizer: {lr: .inf}\n", r"r\.yaml, line 1: optimizer\.lr: .*finite"),
        ("average: .nan\n", r"r\.yaml, line 1: average: .*finite"),
        ("compile: 1\n", r"r\.yaml, line 1: compile: .*true or false \(got 1\)"),
        ("augment: {scale: ['1', 2]}\n", r"r\.yaml, line 1: augment\.scale\.0: .*number \(got '1'\)"),
        ("encoder: {channels: true}\n", r"r\.yaml, line 1: encoder\.channels: .*1 or 3"),
        ("encoder: {backbone_args: {drop_rate: .inf}}\n", r"r\.yaml, line 1: encoder\.backbone_args: .*finite"),
        ("encoder: &e {backbone_args: *e}\n", r"r\.yaml, line 1: encoder\.backbone_args: .*plain"),
        ("losses:\n- {name: supcon, weight: '1'}\n", r"r\.yaml, line 2: losses\.0\.weight: .*number \(got '1'\)"),
        ("losses:\n- {name: triplet, margin: true}\n", r"r\.yaml, line 2: losses\.0\.margin: .*distance.*\(got True\)"),
        ("losses: supcon\n", r"r\.yaml, line 1: losses: .*list \(got 'supcon'\)"),
        ("losses:\n- supcon\n- arcface\n- supcon\n", r"r\.yaml, line 4: losses\.2: supcon is given twice"),
        ("epochs: 2\nseed: 1\nepochs: 3\n", r"r\.yaml, line 3: .*'epochs' stands twice"),
        ("epochs: !!int x\n", r"r\.yaml: not valid YAML"),
        ("? [1]\n: 2\n", r"r\.yaml, line 1: not valid YAML"),
        ("labels: votes\nrefinement: 0.5\n", r"r\.yaml, line 2: refinement: .*learnt whole"),
        ("epochs: 3\nteachers: [a]\n", r"r\.yaml, line 2: teachers: .*go together"),
        ("batches:\n  kind: pairs\n  size: 33\n", r"r\.yaml, line 3: batches\.size: .*even size, not 33"),
        (
            "losses: [{name: contrastive, pairs: twins}]\n",
            r"r\.yaml, line 1: losses\.0: .*set batches\.kind to pairs, not natural",
        ),
        ("- 1\n- 2\n", "must hold a mapping"),
        ("a: [1\n", "not valid YAML"),
    ],
)
def test_errors_name_file_line_and_field(tmp_path, text, sentence):
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=sentence) as failure:
        Recipe.from_yaml(path)
    assert "\n" not in str(failure.value)


def test_numbers_are_written_as_people_write_them():
    recipe = Recipe.from_yaml_text("optimizer: {lr: 1e-3, weight_decay: 0, momentum: 9E-1}\ndescription: '1e-3'\n")
    assert (recipe.optimizer.lr, recipe.optimizer.weight_decay, recipe.optimizer.momentum) == (0.001, 0.0, 0.9)
    assert recipe.description == "1e-3"
    assert Recipe.from_yaml_text(recipe.to_yaml()) == recipe


def test_a_recipe_is_taken_by_its_name_and_by_its_path(tmp_path):
    path = tmp_path / "mine"
    path.write_text("epochs: 5\n")
    assert Recipe.of("quick") == Recipe.of(Recipe.named("quick")) == Recipe.named("quick")
    assert Recipe.of(path) == Recipe(epochs=5)
    for nothing in (3, None):
        with pytest.raises(RecipeError, match="a recipe is a Recipe, a name or the path of a YAML file, not"):
            Recipe.of(nothing)


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
        ("epochs=[1", r"^epochs=\[1, line 1: not valid YAML"),
        ("epochs='3'", r"epochs: .*whole number \(got '3'\)"),
        ("seed=1e26", "seed: .*whole number"),
        ("losses.0.temperature=1", "no field 'losses.0.temperature'"),
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
