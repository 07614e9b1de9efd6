"""The suite measures, keeps, goes on, and leaves empty what was not run."""

import json

import numpy as np
import pytest

pytest.importorskip("benchmarks.suite", reason="the benchmarks are not beside the tests")

from benchmarks.suite import records
from benchmarks.suite.__main__ import main
from benchmarks.suite.backbones import KhanzadaCNN
from benchmarks.suite.floors import hog, majority
from benchmarks.suite.records import Records, Row
from benchmarks.suite.systems import OBJECTIVES, SYSTEMS, recipe_for
from torch import nn

from ferembed.models import Encoder


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """A smoke run of a few rows, its folder and how to run it."""
    out = tmp_path_factory.mktemp("suite")

    def run(*rows):
        main(["--budget", "smoke", "--out", str(out), "--runs", str(out / "runs"), "--rows", *rows])

    run("systems/majority", "systems/hog-knn", "systems/baseline.joint.*", "ensembles/all-of-baseline.stacking")
    return out / "suite-smoke", run


def test_a_record_says_what_was_measured_and_where(suite):
    record = json.loads((suite[0] / "rows" / "systems" / "baseline.joint.vote.json").read_text())
    assert 0 <= record["result"]["without_copies"]["accuracy"] <= 1
    assert record["config"]["training"]["recipe"]["encoder"]["backbone"] == "khanzada_cnn"
    assert {"torch", "faiss-cpu", "scikit-learn"} <= set(record["versions"])
    assert record["device"]
    assert record["seconds"] >= 0


def test_what_was_not_run_is_an_empty_cell(suite):
    table = (suite[0] / "tables.md").read_text().splitlines()
    vote = next(line for line in table if line.startswith("| baseline") and "vote of both" in line)
    other = next(line for line in table if line.startswith("| vgg16") and "vote of both" in line)
    cells = [cell.strip() for cell in other.strip("|").split("|")]
    assert cells[:3] == ["vgg16", "cross-entropy + contrastive", "vote of both"]
    assert not any(cells[3:])
    assert "±" in vote
    assert not (suite[0] / "rows" / "ensembles").exists()
    assert (suite[0] / "systems.png").stat().st_size > 10_000


def test_a_suite_goes_on_where_it_stopped(suite, capsys):
    folder, run = suite
    file = folder / "rows" / "systems" / "baseline.joint.knn.json"
    before = json.loads(file.read_text())
    file.unlink()
    run("systems/baseline.joint.*")
    said = capsys.readouterr().out
    assert "systems/baseline.joint.softmax: kept" in said
    assert "systems/baseline.joint.knn: measured" in said
    assert "epoch" not in said
    assert json.loads(file.read_text())["result"] == before["result"]


def test_a_pattern_that_fits_no_row_names_the_rows(suite):
    with pytest.raises(SystemExit, match="systems/baseline.joint.vote"):
        suite[1]("systems/nobody.*")


def test_a_row_is_measured_anew_when_its_configuration_changes(tmp_path, monkeypatch):
    kept = Records(tmp_path)
    kept.measure(Row("systems", "one", {"epochs": 1}, lambda: {"accuracy": 0.5}))
    assert kept.read(Row("systems", "one", {"epochs": 1}, dict)) == {"accuracy": 0.5}
    assert kept.read(Row("systems", "one", {"epochs": 2}, dict)) is None
    monkeypatch.setattr(records, "write_json", lambda *_: pytest.fail("a failed row left a record"))
    with pytest.raises(ZeroDivisionError):
        kept.measure(Row("systems", "two", {}, lambda: {"accuracy": 1 // 0}))


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_has_a_recipe_for_every_objective(system):
    for objective in OBJECTIVES:
        recipe = recipe_for("quick", system, objective, epochs=2, classes=6)
        assert recipe.epochs == 2
        assert recipe.batches.size == 64 or recipe.batches.classes_per_batch * recipe.batches.images_per_class <= 64


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
