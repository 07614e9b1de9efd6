"""Whole runs on a few drawn faces: what is lost when a run is cut off (nothing), and what a second call costs."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ferembed import DataError, Recipe, RecipeError, Recognizer, drawn_faces, train
from ferembed.training.faces import as_batch, step_seed
from ferembed.training.guards import CollapseWarning, TrainingError
from ferembed.training.module import make_optimizer, warmup_cosine
from ferembed.training.recipe import OptimizerConfig

TINY = Recipe().override(
    {
        "epochs": 3,
        "encoder.backbone": "resnet10t",
        "encoder.embedding_dim": 16,
        "encoder.stem": "standard",
        "encoder.backbone_args": {"channels": [8, 8, 8, 8], "stem_width": 8},
        "encoder.image_size": 32,
        "batches.size": 32,
        "optimizer.lr": 0.05,
        "precision": "fp32",
        "average": 0.9,
    }
)


def faces():
    return drawn_faces(300, image_size=32, seed=3)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    data = faces()
    return train(TINY, data.split("train"), data.split("validation"), out), out


def curve(out):
    rows = []
    for file in sorted(out.glob("logs/csv/metrics*.csv")):
        with open(file, newline="") as handle:
            rows += list(csv.DictReader(handle))
    return {int(row["epoch"]): float(row["train/loss"]) for row in rows if row["train/loss"]}


def test_a_run_leaves_what_is_needed_to_trust_it(finished):
    _, out = finished
    assert {"recipe.yaml", "run.json", "data.json", "losses.safetensors", "recognizer"} <= set(os.listdir(out))
    assert Recipe.from_yaml(out / "recipe.yaml") == TINY
    assert set(curve(out)) == {0, 1, 2}
    assert list(out.glob("logs/tensorboard/events*"))


def test_a_finished_run_is_read_back_at_once(finished):
    recognizer, out = finished
    data = faces()
    start = time.perf_counter()
    again = train(TINY, data.split("train"), data.split("validation"), out)
    assert time.perf_counter() - start < 2
    images = data.split("test").images
    np.testing.assert_allclose(again.predict_proba(images), recognizer.predict_proba(images), atol=1e-6)


RUN = """
import sys
from ferembed import train
sys.path.insert(0, sys.argv[1])
from test_fit import TINY, faces
data = faces()
train(TINY, data.split("train"), data.split("validation"), sys.argv[2])
"""


def start(out):
    """A run in a process of its own, on one thread: only there do sums have one order, and runs repeat to the bit."""
    command = [sys.executable, "-c", RUN, str(Path(__file__).parent), str(out)]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert start(out).wait() == 0
    return out


def test_the_same_seed_gives_the_same_run(whole, tmp_path):
    assert start(tmp_path / "twin").wait() == 0
    assert curve(tmp_path / "twin") == curve(whole)


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_goes_on_to_the_same_end(whole, tmp_path, stop):
    cut = tmp_path / "cut"
    process = start(cut)
    deadline = time.monotonic() + 120
    while not (cut / "checkpoints" / "last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(stop)
    assert process.wait() != 0
    assert not (cut / "run.json").exists()
    assert start(cut).wait() == 0
    losses, expected = curve(cut), curve(whole)
    assert losses == pytest.approx({epoch: expected[epoch] for epoch in losses}, rel=1e-6)
    assert max(losses) == TINY.epochs - 1
    images = faces().split("test").images
    probabilities = [Recognizer.load(out).predict_proba(images) for out in (cut, whole)]
    np.testing.assert_allclose(*probabilities, atol=1e-6)


def test_another_recipe_or_other_data_is_refused(finished):
    _, out = finished
    data = faces()
    with pytest.raises(RecipeError, match=r"another recipe \(epochs: 3 / 9\)"):
        train(TINY.override({"epochs": 9}), data.split("train"), data.split("validation"), out)
    with pytest.raises(RecipeError, match="other validation data"):
        train(TINY, data.split("train"), data.split("test"), out)


def test_votes_that_are_to_be_learnt_must_be_there(tmp_path):
    recipe = TINY.override({"losses": [{"name": "soft_cross_entropy"}]})
    data = faces()
    with pytest.raises(DataError, match="load it with votes"):
        train(recipe, data.split("train"), data.split("validation"), tmp_path / "run")


@pytest.mark.parametrize("kind", ["class_balanced", "pairs"])
@pytest.mark.parametrize("loss", ["contrastive", "triplet"])
def test_every_kind_of_batch_trains_a_pure_metric_loss(tmp_path, kind, loss):
    changes = {"losses": [{"name": loss}], "batches.kind": kind, "batches.images_per_class": 4, "epochs": 1}
    data = faces()
    recognizer = train(TINY.override(changes), data.split("train"), data.split("validation"), tmp_path / "run")
    assert isinstance(recognizer, Recognizer)
    assert set(recognizer.voters) == {"softmax", "knn", "vote"}


@pytest.mark.parametrize("name", ["sgd", "adamw"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_gradients_are_clipped_in_every_arithmetic(tmp_path, precision, name):
    data = faces()
    clipped = {"optimizer.clip_norm": 1e-9, "optimizer.name": name, "optimizer.weight_decay": 0, "average": None}
    changes = {"precision": precision, "epochs": 3, "optimizer.lr": 1e-9 if name == "adamw" else 0.05, **clipped}
    train(TINY.override(changes), data.split("train"), data.split("validation"), tmp_path / "run")
    first, *_, last = curve(tmp_path / "run").values()
    assert last == pytest.approx(first, rel=0.05)


@pytest.mark.parametrize(("every", "validated"), [(2, {1, 2}), (9, {2})])
def test_the_last_epoch_is_always_validated(tmp_path, every, validated):
    data = faces()
    train(TINY.override({"validate_every": every}), data.split("train"), data.split("validation"), tmp_path / "run")
    with open(tmp_path / "run" / "logs" / "csv" / "metrics.csv", newline="") as file:
        assert {int(row["epoch"]) for row in csv.DictReader(file) if row["validation/knn_accuracy"]} == validated


def test_the_schedule_rises_then_falls_to_zero():
    shares = [warmup_cosine(step, 10, 100) for step in range(101)]
    assert shares[9] == shares[10] == 1
    assert np.all(np.diff(shares[:10]) > 0)
    assert np.all(np.diff(shares[10:]) < 0)
    assert shares[100] == 0


def test_biases_and_normalisation_are_not_decayed():
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    decayed, free = make_optimizer(network, OptimizerConfig(weight_decay=0.1)).param_groups
    assert [p.ndim for p in decayed["params"]] == [2]
    assert free["weight_decay"] == 0
    assert len(free["params"]) == 3


def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_batch(tmp_path):
    recipe = TINY.override({"optimizer.lr": 1e30, "optimizer.warmup_epochs": 0})
    data = faces()
    with pytest.raises(TrainingError, match=r"loss became (nan|inf) at step \d+ of epoch \d+: lower optimizer.lr"):
        train(recipe, data.split("train"), data.split("validation"), tmp_path / "run")
    batch = load_file(tmp_path / "run" / "nan-batch.safetensors")
    assert batch["images"].shape == (32, 1, 32, 32)
    assert batch["labels"].shape == (32,)


def test_a_collapse_is_warned_of_with_advice(tmp_path, monkeypatch):
    data = faces()
    monkeypatch.setattr("ferembed.training.guards.COLLAPSED", 1.1)
    with pytest.warns(CollapseWarning, match="collapsing to one point.*semihard"):
        train(TINY.override({"epochs": 1}), data.split("train"), data.split("validation"), tmp_path / "run")


def test_step_seeds_differ_by_step_and_rank():
    seeds = {step_seed(0, step, rank) for step in range(50) for rank in range(4)}
    assert len(seeds) == 200
    assert step_seed(1, 2, 3) == step_seed(1, 2, 3)


def test_pixels_change_channels_without_changing_values():
    grey = torch.randint(0, 256, (2, 4, 5), dtype=torch.uint8)
    assert torch.equal(as_batch(grey, 3)[:, 2], grey)
    rgb = grey[..., None].expand(2, 4, 5, 3)
    assert torch.equal(as_batch(rgb, 1)[:, 0], grey)
    assert torch.equal(as_batch(rgb, 3)[:, 1], grey)


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="torch.compile needs a C++ compiler")
def test_a_compiled_network_learns_what_a_plain_one_learns(tmp_path):
    data = faces()
    for compiled in (False, True):
        recipe = TINY.override({"epochs": 1, "compile": compiled})
        train(recipe, data.split("train"), data.split("validation"), tmp_path / str(compiled))
    assert curve(tmp_path / "True") == pytest.approx(curve(tmp_path / "False"), rel=1e-3)
