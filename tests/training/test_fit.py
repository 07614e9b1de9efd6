"""Whole runs on a few drawn faces: what is lost when a run is cut off (nothing), and what a second call costs."""

import csv
import os
import re
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, Timer
from safetensors.torch import load_file

from ferembed import DataError, Recipe, RecipeError, Recognizer, StorageError, drawn_faces, train
from ferembed.losses import LossSpec
from ferembed.training import _diagnostics as diagnostics
from ferembed.training.callbacks.guards import TrainingError
from ferembed.training.checkpoint import SafetensorsCheckpointIO, seconds_trained
from ferembed.training.face_data import as_batch, step_seed
from ferembed.training.fit import make_learner
from ferembed.training.module import MetricLearner, make_optimizer, warmup_cosine
from ferembed.training.parts import OptimizerConfig

sys.path.insert(0, str(Path(__file__).parent))
from starter import at_step

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


def figures(out):
    with open(out / "logs" / "csv" / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def curve(out):
    return {int(row["epoch"]): float(row["train/loss"]) for row in figures(out) if row["train/loss"]}


def test_a_run_leaves_what_is_needed_to_trust_it(finished):
    _, out = finished
    assert {"recipe.yaml", "run.json", "data.json", "losses.safetensors", "recognizer"} <= set(os.listdir(out))
    assert Recipe.from_yaml(out / "recipe.yaml") == TINY
    assert set(curve(out)) == {0, 1, 2}
    assert list(out.glob("logs/tensorboard/events*"))


def test_a_finished_run_is_read_back_without_training(finished, monkeypatch):
    recognizer, out = finished
    data = faces()

    def refuse(*_):
        raise AssertionError("a finished run trains again")

    monkeypatch.setattr(MetricLearner, "__init__", refuse)
    again = train(TINY, data.split("train"), data.split("validation"), out)
    images = data.split("test").images
    np.testing.assert_allclose(again.predict_proba(images), recognizer.predict_proba(images), atol=1e-6)


class Diary(Callback):
    """A user's callback: k-NN accuracies as validation has them; ``ends`` cuts the run off after so many."""

    def __init__(self, ends=None):
        self.seen, self.ends = [], ends

    def on_train_epoch_end(self, trainer, module):
        if len(self.seen) == self.ends:
            raise RuntimeError("the power is gone")

    def on_validation_end(self, trainer, module):
        self.seen.append(trainer.callback_metrics["validation/knn_accuracy"].item())

    def state_dict(self):
        return {"seen": self.seen}

    def load_state_dict(self, state):
        self.seen = state["seen"]


def test_callbacks_of_ones_own_see_what_happens_and_go_on_with_a_run(finished, tmp_path):
    data = faces()
    splits = data.split("train"), data.split("validation")
    with pytest.raises(RuntimeError, match="the power is gone"):
        train(TINY, *splits, tmp_path / "run", callbacks=[Diary(ends=2)])
    diary, rates = Diary(), LearningRateMonitor()
    train(TINY, *splits, tmp_path / "run", callbacks=[diary, rates, Timer()])
    whole = [float(row["validation/knn_accuracy"]) for row in figures(finished[1]) if row["validation/knn_accuracy"]]
    assert len(diary.seen) == 3
    np.testing.assert_allclose(diary.seen, whole, atol=0.1)
    assert rates.lrs


def test_the_time_of_a_run_is_that_of_all_its_sittings(tmp_path):
    data, out = faces(), tmp_path / "run"
    splits = data.split("train"), data.split("validation")
    with pytest.raises(RuntimeError, match="the power is gone"):
        train(TINY, *splits, out, callbacks=[Diary(ends=2)])
    taken, last = seconds_trained(out), out / "checkpoints" / "last.ckpt"
    assert taken > 0
    checkpoint = SafetensorsCheckpointIO().load_checkpoint(last)
    checkpoint["callbacks"]["TimeTrained"]["time_elapsed"]["train"] = 10_000 + taken
    SafetensorsCheckpointIO().save_checkpoint(checkpoint, last)
    recognizer = train(TINY, *splits, out)
    assert seconds_trained(out) > 10_000 + taken
    assert recognizer.info["seconds"] > 10_000 + taken


# All that a run carries from step to step: pairs found hard, proxies, centres, a miner's warm-up, moments, averages,
# draws, how long validation has not improved.
LADEN = TINY.override(
    {
        "losses": [
            {"name": "cross_entropy", "label_smoothing": 0.1},
            {"name": "contrastive"},
            {"name": "proxy_anchor", "weight": 0.1},
            {"name": "center", "weight": 0.1},
            {"name": "triplet", "miner": {"name": "hard", "warm_up": 9}},
        ],
        "batches": {"kind": "pairs", "size": 32, "hard_share": 1.0},
        "optimizer": {"name": "adamw", "lr": 0.004, "clip_norm": 5.0},
        "augment.mixup": 0.2,
        "encoder.backbone_args.drop_rate": 0.1,
        "validate_every": 2,
        "patience": 2,
    }
)

EPOCH = 210 // 32
IN_AN_EPOCH = at_step(2 * EPOCH + 2)


def laden_run(out):
    data = faces()
    train(LADEN, data.split("train"), data.split("validation"), out)


@pytest.fixture(scope="module")
def whole(starter, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert starter.run(laden_run, out) == 0
    return out


def assert_the_same_run(out, whole):
    assert figures(out) == figures(whole)
    kept, expected = (
        SafetensorsCheckpointIO().load_checkpoint(each / "checkpoints" / "best.ckpt") for each in (out, whole)
    )
    assert kept["epoch"] == expected["epoch"]
    learnt, expected = (load_file(each / "losses.safetensors") for each in (out, whole))
    assert learnt.keys() == expected.keys()
    assert all(torch.equal(learnt[name], expected[name]) for name in learnt)
    images = faces().split("test").images
    probabilities = [Recognizer.load(each).predict_proba(images) for each in (out, whole)]
    np.testing.assert_allclose(*probabilities, atol=1e-6)


def test_the_same_seed_gives_the_same_run(starter, whole, tmp_path):
    assert starter.run(laden_run, tmp_path / "twin") == 0
    assert_the_same_run(tmp_path / "twin", whole)
    assert [row["epoch"] for row in figures(whole)] == ["0", "1", "2"]
    learnt = load_file(whole / "losses.safetensors")
    assert {"losses.proxy_anchor.loss.proxies", "losses.center.centers"} < learnt.keys()


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        pytest.param(at_step(EPOCH), signal.SIGKILL, id="killed as an epoch begins"),
        pytest.param(IN_AN_EPOCH, signal.SIGKILL, id="killed in an epoch"),
        pytest.param("ferembed.training.module:MetricLearner.validation_step:3", signal.SIGKILL, id="in validation"),
        pytest.param("ferembed.training.callbacks.saving:write_text:2", signal.SIGKILL, id="as an epoch ends"),
        pytest.param("ferembed.training.checkpoint:save_file:4", signal.SIGKILL, id="as its checkpoint is written"),
        pytest.param("ferembed.training.fit:best_weights:1", signal.SIGKILL, id="after the last epoch"),
        pytest.param("ferembed.recognizer.recognizer:write_folder:1", signal.SIGKILL, id="as the recogniser is built"),
        pytest.param(IN_AN_EPOCH, signal.SIGTERM, id="told to stop in an epoch"),
        pytest.param(at_step(2 * EPOCH - 1), signal.SIGTERM, id="told to stop at its last batch"),
    ],
)
def test_a_run_that_is_stopped_goes_on_to_the_same_end(starter, whole, tmp_path, moment, number):
    cut = tmp_path / "cut"
    code = -9 if number == signal.SIGKILL else 128 + 15
    assert starter.run(laden_run, cut, moment=moment, number=number) == code
    assert not (cut / "run.json").exists()
    assert starter.run(laden_run, cut) == 0
    assert_the_same_run(cut, whole)


@pytest.mark.parametrize(
    ("moment", "name", "harm"),
    [
        (IN_AN_EPOCH, "last", "truncated"),
        (IN_AN_EPOCH, "best", "truncated"),
        (IN_AN_EPOCH, "best", "gone"),
        ("ferembed.training.fit:best_weights:1", "best", "truncated"),
    ],
)
def test_what_is_said_of_a_damaged_checkpoint_helps(starter, whole, tmp_path, moment, name, harm):
    cut, data = tmp_path / "cut", faces()
    assert starter.run(laden_run, cut, moment=moment, number=signal.SIGKILL) == -9
    file = cut / "checkpoints" / f"{name}.ckpt"
    file.write_bytes(file.read_bytes()[:-100])
    if harm == "gone":
        file.unlink()
    with pytest.raises(StorageError, match=f"{name}.ckpt is no readable checkpoint .*: remove the folder ") as failure:
        train(LADEN, data.split("train"), data.split("validation"), cut)
    shutil.rmtree(re.search("remove the folder (.*) and run", str(failure.value)).group(1))
    assert starter.run(laden_run, cut) == 0
    assert_the_same_run(cut, whole)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the state of a process as Linux gives it")
def test_a_folder_holds_one_training_at_a_time(starter, tmp_path):
    out, data = tmp_path / "run", faces()
    process = starter.start(laden_run, out, moment=at_step(1), number=signal.SIGSTOP)
    while Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.005)
    before = sorted(out.rglob("*"))
    with pytest.raises(TrainingError, match=f"another training is running in {out}: let it end"):
        train(TINY, data.split("train"), data.split("validation"), out)
    assert sorted(out.rglob("*")) == before
    os.kill(process, signal.SIGKILL)
    assert starter.end() == -9
    train(TINY.override({"epochs": 1}), data.split("train"), data.split("validation"), out)
    assert set(os.listdir(out)) == {
        *("checkpoints", "data.json", "logs", "losses.safetensors", "recipe.yaml", "recognizer", "run.json")
    }


def early_run(out):
    changes = {"epochs": 9, "patience": 1, "optimizer.lr": 1e-8, "average": None, "losses": [{"name": "center"}]}
    groups = {"batches": {"kind": "class_balanced", "classes_per_batch": 7, "images_per_class": 6}}
    data = faces()
    train(TINY.override({**changes, **groups}), data.split("train"), data.split("validation"), out)


def test_a_run_that_ends_early_ends_there_however_often_it_was_stopped_and_moved(starter, tmp_path):
    whole, cut, moved = tmp_path / "whole", tmp_path / "cut", tmp_path / "moved"
    assert starter.run(early_run, whole) == 0
    epoch, epochs = 210 // 42, len(curve(whole))
    assert epochs < 9
    assert starter.run(early_run, cut, moment=at_step(1), number=signal.SIGTERM) == 128 + 15
    assert starter.run(early_run, cut, moment=at_step((epochs - 1) * epoch - 2), number=signal.SIGKILL) == -9
    cut.rename(moved)
    assert starter.run(early_run, moved, moment="ferembed.training.fit:best_weights:1", number=signal.SIGKILL) == -9
    assert starter.run(early_run, moved) == 0
    assert_the_same_run(moved, whole)


def test_a_recipe_is_named_where_one_is_taken(tmp_path):
    data, path = faces(), tmp_path / "tiny.yaml"
    path.write_text(TINY.override({"epochs": 1}).to_yaml())
    for recipe in (path, str(path)):
        trained = train(recipe, data.split("train"), data.split("validation"), tmp_path / "run")
        assert trained.info["recipe"]["epochs"] == 1
    with pytest.raises(RecipeError, match="there is no recipe 'quickly'"):
        train("quickly", data.split("train"), data.split("validation"), tmp_path / "other")


def test_another_recipe_or_other_data_is_refused(finished):
    _, out = finished
    data = faces()
    with pytest.raises(RecipeError, match=r"another recipe \(epochs: 3 / 9\)"):
        train(TINY.override({"epochs": 9}), data.split("train"), data.split("validation"), out)
    with pytest.raises(RecipeError, match="other validation data"):
        train(TINY, data.split("train"), data.split("test"), out)


@pytest.mark.parametrize("name", [name for name, spec in LossSpec.known.items() if "votes" in spec.needs])
def test_votes_that_are_to_be_learnt_must_be_there(tmp_path, name):
    data = faces()
    unusable = replace(data, votes=np.zeros((len(data), 2)), vote_classes=("even", "odd"))
    for each in (data, unusable):
        with pytest.raises(DataError, match="load it with votes"):
            train(TINY.override({"losses": [name]}), each.split("train"), each.split("validation"), tmp_path / "run")


def of_class(data, *codes):
    return data.subset(np.flatnonzero(np.isin(data.labels, codes)))


def blanked(data, *codes):
    return replace(data, images=np.where(np.isin(data.labels, codes)[:, None, None], 0, data.images))


def narrowed(data, count):
    data = of_class(data, *range(count))
    return replace(data, classes=data.classes[:count])


def few(data, each):
    """That many faces of each of two classes."""
    rows = [np.flatnonzero(data.labels == code)[:each] for code in (0, 1)]
    return narrowed(data.subset(np.concatenate(rows)), 2)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda train, val: (of_class(train, 0, 1, 2), val),
            "image shows happy, sad, surprise, neutral, blank",
        ),
        (lambda train, val: (blanked(train, 2), val), "no training image shows fear, blank ones apart"),
        (lambda train, val: (blanked(train, *range(7)), val), "image shows angry, disgust, fear, happy"),
        (lambda train, val: (train, narrowed(val, 6)), "they must agree"),
        (lambda train, val: (narrowed(train, 1), narrowed(val, 1)), "needs two classes; the data has angry alone"),
        (lambda train, val: (few(train, 2), narrowed(val, 2)), "4 training images are too few"),
        (lambda train, val: (train, val.subset([])), "validation split has no image"),
        (lambda train, val: (train, blanked(val, *range(7))), "validation split has no image, or blank ones only"),
    ],
)
def test_splits_of_which_no_recogniser_can_be_built_are_refused_before_the_first_step(tmp_path, change, sentence):
    data = faces()
    splits = change(data.split("train"), data.split("validation"))
    with pytest.raises(DataError, match=sentence) as failure:
        train(TINY.override({"batches.size": 2, "encoder.backbone": "no such network"}), *splits, tmp_path / "run")
    assert "\n" not in str(failure.value)
    assert not (tmp_path / "run").exists()


def test_batches_that_the_faces_cannot_fill_are_refused_with_what_fits(tmp_path):
    data = faces()
    for changes, sentence in (
        ({"batches.kind": "class_balanced", "batches.classes_per_batch": 9}, "P=7 and K=18 would fit"),
        ({"batches.kind": "class_balanced", "batches.images_per_class": 900}, "P=7 and K=30 would fit"),
        ({"batches.size": 100_000}, "batch_size must lie in 1..210"),
    ):
        with pytest.raises(ValueError, match=sentence):
            train(TINY.override(changes), data.split("train"), data.split("validation"), tmp_path / "run")


@pytest.mark.parametrize("kind", ["natural", "class_balanced", "pairs"])
@pytest.mark.parametrize("loss", [{"name": "contrastive"}, {"name": "triplet"}])
def test_every_kind_of_batch_trains_a_pure_metric_loss(tmp_path, kind, loss):
    changes = {"losses": [loss], "batches.kind": kind, "batches.images_per_class": 4, "epochs": 1}
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


def test_of_epochs_that_validate_alike_the_first_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(diagnostics, "named_rightly", lambda *_: torch.tensor(0.5))
    data = faces()
    train(TINY, data.split("train"), data.split("validation"), tmp_path / "run")
    kept = SafetensorsCheckpointIO().load_checkpoint(tmp_path / "run" / "checkpoints" / "best.ckpt")
    assert kept["epoch"] == 0


@pytest.mark.parametrize(("every", "validated"), [(2, {1, 2}), (9, {2})])
def test_the_last_epoch_is_always_validated(tmp_path, every, validated):
    data = faces()
    train(TINY.override({"validate_every": every}), data.split("train"), data.split("validation"), tmp_path / "run")
    rows = figures(tmp_path / "run")
    assert {int(row["epoch"]) for row in rows if row["validation/knn_accuracy"]} == validated


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


@pytest.mark.parametrize("width", [8, 16])
def test_a_narrow_network_learns_in_the_layout_in_which_its_gradients_are_right(width):
    """See :attr:`Encoder.memory_format`; a convolution takes the layout of its images or of its weights."""
    encoder = {"encoder.backbone": "resnet18", "encoder.backbone_args": {"channels": [width] * 4}}
    recipe, seen = TINY.override(encoder), []
    network = make_learner(recipe, faces().split("train")).network
    strided = [each for each in network.modules() if isinstance(each, torch.nn.Conv2d) and each.stride != (1, 1)]
    for each in strided:
        each.register_forward_hook(lambda layer, inputs, _: seen.append((inputs[0], layer.weight)))
    network(torch.rand(4, 1, 32, 32))
    tensors = [tensor for each in seen for tensor in each if tensor.shape[1] > 1 and tensor.shape[-1] > 1]
    last = [tensor.stride(1) == 1 for tensor in tensors]
    assert len(last) >= 6
    assert set(last) == {width == 16}


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


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="torch.compile needs a C++ compiler")
def test_a_compiled_network_learns_what_a_plain_one_learns(tmp_path):
    data = faces()
    for compiled in (False, True):
        recipe = TINY.override({"epochs": 1, "compile": compiled})
        train(recipe, data.split("train"), data.split("validation"), tmp_path / str(compiled))
    assert curve(tmp_path / "True") == pytest.approx(curve(tmp_path / "False"), rel=1e-3)


@pytest.mark.parametrize("name", ["a::b", os.fsdecode(b"caf\xe9")])
def test_a_folder_whose_name_lightning_misreads_is_refused_before_the_first_step(tmp_path, name):
    with pytest.raises(RecipeError, match="cannot hold a run"):
        train(TINY, faces().split("train"), faces().split("validation"), tmp_path / name)
    assert not (tmp_path / name).exists()
