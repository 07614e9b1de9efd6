"""The suite measures, keeps, goes on, and leaves empty what was not run."""

import json
import shlex
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("benchmarks.suite", reason="the benchmarks are not beside the tests")

from benchmarks.machine import describe
from benchmarks.suite import records
from benchmarks.suite.__main__ import main
from benchmarks.suite.backbones import KhanzadaCNN
from benchmarks.suite.bench import Bench
from benchmarks.suite.budgets import BUDGETS, PROBE
from benchmarks.suite.floors import hog, majority
from benchmarks.suite.kept import Kept
from benchmarks.suite.records import Records, Row
from benchmarks.suite.systems import NETWORKS, OBJECTIVES, recipe_for
from benchmarks.suite.tables import TABLES, cost, systems
from benchmarks.suite.tables.common import claim, decided
from benchmarks.suite.trainings import trainings
from torch import nn

from ferembed import drawn_faces
from ferembed.models import Encoder

CLASSES = drawn_faces(70).classes


def brightness(images):
    """A classifier from elsewhere: the brighter, the happier."""
    happy = images.reshape(len(images), -1).mean(axis=1) / 255
    proba = np.repeat((1 - happy)[:, None] / 6, 7, axis=1)
    proba[:, CLASSES.index("happy")] = happy
    return proba


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """A smoke run of a few rows, its folder and how to run it."""
    out = tmp_path_factory.mktemp("suite")
    sys.modules["elsewhere"] = elsewhere = ModuleType("elsewhere")
    elsewhere.brightness = brightness

    def run(*rows):
        where = ["--out", str(out), "--runs", str(out / "runs"), "--function", "mine=elsewhere:brightness"]
        main(["--budget", "smoke", *where, "--only", *rows])

    run("baseline-ce*", "mine*", "systems/majority", "systems/hog-knn", "ensembles/supcon.with-knn.*", "noise/*noise40")
    yield out / "suite-smoke", run
    del sys.modules["elsewhere"]


def cells_of(folder, *names):
    """The cells after the names in the first line of the tables that begins with them."""
    lines = (folder / "tables.md").read_text().splitlines()
    line = next(line for line in lines if line.startswith("| " + " | ".join(names)))
    return [cell.strip() for cell in line.strip("|").split("|")][len(names) :]


def test_a_record_says_what_was_measured_and_where(suite):
    record = json.loads((suite[0] / "rows" / "networks" / "baseline-ce-supcon.json").read_text())
    assert record["result"]["epochs"] == 1
    assert record["result"]["parameters"] == 618_272
    assert record["config"]["recipe"]["encoder"]["backbone"] == "khanzada_cnn"
    assert {"torch", "faiss-cpu", "scikit-learn"} <= set(record["versions"])
    assert record["device"]
    assert record["seconds"] >= 0
    judged = json.loads((suite[0] / "rows" / "systems" / "baseline-ce-supcon.vote.json").read_text())
    assert 0 <= judged["result"]["without_copies"]["accuracy"] <= 1


def test_what_was_not_run_is_an_empty_cell(suite):
    folder = suite[0]
    assert "±" in cells_of(folder, "baseline", "cross-entropy + SupCon", "vote of both")[0]
    assert not any(cells_of(folder, "vgg16-half", "cross-entropy + SupCon", "vote of both"))
    assert "±" in cells_of(folder, "every backbone, cross-entropy + SupCon", "and k-NN (2)", "soft voting")[2]
    assert "(35 that are not blank" in (folder / "tables.md").read_text()
    for table in ("systems", "ensembles", "noise"):
        assert (folder / f"{table}.png").stat().st_size > 10_000
    assert not (folder / "imbalance.png").exists()


def test_each_table_ends_in_what_became_of_a_claim(suite):
    sections = (suite[0] / "tables.md").read_text().split("\n## ")[1:]
    assert len(sections) == len(TABLES) == 7
    for section in sections:
        last = [line for line in section.splitlines() if line and not line.startswith("![")][-1]
        assert last.startswith(
            ("**Borne out: that", "**Refuted: that", "**Not decided: that", "**Not measured yet: that")
        )


def test_a_claim_names_the_epochs_of_a_network_that_learnt_for_fewer(suite):
    budget = replace(BUDGETS["smoke"], dearest=("baseline",))
    bench = Bench(budget, drawn_faces(budget.drawn), suite[0], suite[0])
    rows = systems.rows(bench)
    results = {row.path: result for row in rows if (result := bench.records.read(row)) is not None}
    assert "cross-entropy: baseline, 1 epoch " in systems.lines(bench, rows, results)[-1]


def test_a_claim_is_decided_only_by_differences_that_are_sure_and_agree():
    assert decided([(0.01, 0.03), (-0.01, 0.02)]) is True
    assert decided([(-0.03, -0.01), (-0.01, 0.02)]) is False
    assert decided([(0.01, 0.03), (-0.03, -0.01)]) is None
    assert decided([(-0.01, 0.01)]) is None
    assert decided([]) is None
    assert claim("it is so", True, "5 against 3") == "**Borne out: that it is so** (5 against 3)."
    assert claim("it is so", None, "") == "**Not measured yet: that it is so**."


def test_the_more_differences_a_claim_rests_on_the_surer_each_must_be():
    nearly = (0.0005, 0.02)
    assert decided([nearly]) is True
    assert decided([nearly, *[(-0.01, 0.01)] * 3]) is None
    assert decided([nearly, None, None, None]) is True


def test_what_was_kept_makes_the_same_figures_without_weights_and_in_the_same_tables(suite, capsys):
    folder, run = suite
    files = ["systems/baseline-ce.svm.json", "systems/baseline-ce-supcon.vote.json"]
    before = [json.loads((folder / "rows" / file).read_text())["result"] for file in files]
    for file in files:
        (folder / "rows" / file).unlink()
    (folder.parent / "runs").rename(folder.parent / "away")
    try:
        run("systems/baseline-*")
    finally:
        (folder.parent / "away").rename(folder.parent / "runs")
    said = capsys.readouterr().out
    assert "systems/baseline-ce.softmax: kept" in said
    assert "systems/baseline-ce.svm: measured" in said
    assert [json.loads((folder / "rows" / file).read_text())["result"] for file in files] == before


def test_a_suite_goes_on_with_the_finished_training(suite, capsys):
    folder, run = suite
    file = folder / "rows" / "networks" / "baseline-ce.json"
    before = json.loads(file.read_text())
    file.unlink()
    run("networks/baseline-*")
    said = capsys.readouterr().out
    assert "networks/baseline-ce-supcon: kept" in said
    assert "networks/baseline-ce: measured" in said
    assert "epoch" not in said
    assert json.loads(file.read_text())["result"] == before["result"]


def test_an_interrupted_suite_makes_its_tables(suite, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    folder, run = suite
    (folder / "tables.md").unlink()
    (folder / "rows" / "systems" / "majority.json").unlink()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(records.Records, "measure", interrupted)
        run("systems/majority")
    assert "±" in cells_of(folder, "baseline", "cross-entropy + SupCon", "vote of both")[0]
    run("systems/majority")


def test_answers_are_kept_in_half_precision_for_the_images_they_speak_of(suite, tmp_path):
    smoke = drawn_faces(BUDGETS["smoke"].drawn).split("validation")
    kept = Kept.read(suite[0] / "kept" / "baseline-ce.safetensors", smoke)
    assert {name: array.shape for name, array in kept.scores.items()} == {
        "softmax": (35, 7),
        "svm": (35, 7),
        "knn": (2, 35, 7),
    }
    assert kept.embeddings.dtype == np.float16
    assert np.linalg.norm(kept.embeddings.astype(float), axis=1) == pytest.approx(np.ones(35), abs=2e-3)
    assert kept.probabilities("knn", 1).sum(axis=1) == pytest.approx(np.ones(35))
    with pytest.raises(ValueError, match="other validation images"):
        Kept.read(suite[0] / "kept" / "baseline-ce.safetensors", drawn_faces(140).split("validation"))


def test_a_function_of_images_is_a_row_like_any_other(suite):
    validation = drawn_faces(BUDGETS["smoke"].drawn).split("validation")
    kept = Kept.read(suite[0] / "kept" / "mine.safetensors", validation)
    assert kept.probabilities("softmax", 0) == pytest.approx(brightness(validation.images), abs=2e-3)
    assert "±" in cells_of(suite[0], "mine", "elsewhere", "")[0]


def test_a_function_that_is_not_there_is_named(suite):
    with pytest.raises(SystemExit, match="NAME=MODULE:FUNCTION.*nowhere"):
        main(["--budget", "smoke", "--function", "mine=nowhere:predict"])


def test_a_pattern_that_fits_no_row_names_the_rows(suite):
    with pytest.raises(SystemExit, match=r"systems/baseline-ce-supcon\.vote"):
        suite[1]("systems/nobody.*")


def test_a_row_is_measured_anew_when_its_configuration_changes(tmp_path, monkeypatch):
    kept = Records(tmp_path)
    kept.measure(Row("systems", "one", {"epochs": 1}, lambda: {"accuracy": 0.5}))
    assert kept.read(Row("systems", "one", {"epochs": 1}, dict)) == {"accuracy": 0.5}
    assert kept.read(Row("systems", "one", {"epochs": 2}, dict)) is None
    monkeypatch.setattr(records, "write_json", lambda *_: pytest.fail("a failed row left a record"))
    with pytest.raises(ZeroDivisionError):
        kept.measure(Row("systems", "two", {}, lambda: {"accuracy": 1 // 0}))


def test_each_network_is_trained_twice_for_equally_many_epochs_and_one_with_every_objective(tmp_path):
    for budget in BUDGETS.values():
        bench = Bench(budget, drawn_faces(140), tmp_path, tmp_path)
        found = {training.name: training.recipe.epochs for training in trainings(bench)}
        for network in budget.networks:
            own = [epochs for name, epochs in found.items() if name.startswith(f"{network}-ce")]
            assert len(own) == (5 if network == PROBE else 2)
            assert set(own) == {budget.fewer_epochs if network in budget.dearest else budget.epochs}
        assert len(found) == 2 * len(budget.networks) + 6


def test_the_cost_of_a_step_is_kept_where_epochs_change(tmp_path):
    short, long = (Bench(replace(BUDGETS["smoke"], epochs=n), drawn_faces(140), tmp_path, tmp_path) for n in (1, 2))
    assert [row.config for row in cost.rows(short)] == [row.config for row in cost.rows(long)]


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_has_a_recipe_for_every_objective(network):
    for objective in OBJECTIVES:
        recipe = recipe_for("small", network, objective, 2)
        assert recipe.epochs == 2
        assert recipe.augment == recipe_for("small", "small", "ce", 2).augment


def test_half_the_width_has_some_quarter_of_the_weights():
    def size(network):
        config = recipe_for("small", network, "ce", 1).encoder
        return sum(each.numel() for each in Encoder(**config.model_dump()).parameters())

    for network in ("vgg16", "resnet50", "seresnet50"):
        assert 0.24 < size(f"{network}-half") / size(network) < 0.27


def test_the_baseline_is_the_small_network_of_the_paper():
    network = KhanzadaCNN(1, 0.5)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [(c.kernel_size, c.out_channels) for c in convolutions] == [((3, 3), 32)] * 4
    assert Encoder("khanzada_cnn", stem="standard").head.in_features == 12 * 12 * 32


def test_gradients_tell_directions_and_not_contrast():
    stripes = np.tile(np.arange(48) // 4 % 2 * 100, (48, 1)).astype(np.uint8)
    upright, lying, faint, flat = hog(np.stack([stripes, stripes.T, stripes // 2, np.zeros_like(stripes)]))
    assert upright @ lying < 0.05 * (upright @ upright)
    assert upright @ faint > 0.95 * (upright @ upright)
    assert not flat.any()


def test_the_majority_answers_with_the_frequencies():
    assert majority(np.array([0, 1, 1, 1]), 3, 2).tolist() == [[0.25, 0.75, 0.0]] * 2


def test_a_recorded_command_runs_again(monkeypatch):
    arguments = ["benchmarks/trials.py", "--only", "no SupCon", "average*"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert shlex.split(describe()["command"])[-3:] == arguments[1:]


@pytest.mark.slow
def test_the_whole_suite_runs_on_drawn_faces(tmp_path, capsys):
    main(["--budget", "smoke", "--out", str(tmp_path), "--runs", str(tmp_path / "runs")])
    left = [line for line in capsys.readouterr().out.splitlines() if "left empty" in line]
    assert all(line.startswith(("networks/fer:", "systems/fer.")) for line in left)
    document = (tmp_path / "suite-smoke" / "tables.md").read_text()
    assert document.count("![") == len(TABLES)
    pictures = {file.stem for file in (tmp_path / "suite-smoke").glob("*.png")}
    assert pictures == set(TABLES)
