"""Runs that cannot end well say why; runs that have learnt all they will end early."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from ferembed import RecipeError, drawn_faces, train
from ferembed.training.callbacks.guards import CollapseWarning, TrainingError, diagnosis, explain_memory

sys.path.insert(0, str(Path(__file__).parent))
from test_fit import TINY, curve, faces

HEALTHY = {
    "spread": 0.5,
    "active_triplets": 0.3,
    "distance_within": 0.5,
    "distance_between": 0.9,
    "distance_within/happy": 0.4,
    "distance_between/happy": 1.0,
    "distance_within/fear": 0.6,
    "distance_between/fear": 0.8,
}
UNPARTED = HEALTHY | {"distance_between": 0.5, "distance_between/happy": 0.44, "distance_between/fear": 0.6}


def test_a_healthy_embedding_is_not_warned_of():
    assert diagnosis(HEALTHY, settled=True) is None
    assert diagnosis(UNPARTED, settled=False) is None


def test_a_point_is_a_collapse_from_the_first_epoch():
    verdict = diagnosis(HEALTHY | {"spread": 0.001}, settled=False)
    assert "collapsing to one point (variance 0.0010 of at most 1, 30% of triplets active)" in verdict
    assert "semihard" in verdict


def test_classes_that_lie_on_one_another_are_named():
    assert "1.00 times as far apart as pairs of one, least for fear; 30%" in diagnosis(UNPARTED, settled=True)


@pytest.mark.parametrize("warm_up", [0, 500])
def test_the_hardest_triplets_from_the_start_collapse_and_the_run_says_so(tmp_path, warm_up):
    changes = {
        "losses": [{"name": "triplet", "margin": 0.5, "miner": {"name": "hard", "warm_up": warm_up}}],
        "batches": {"kind": "class_balanced", "classes_per_batch": 7, "images_per_class": 4},
        "optimizer": {"lr": 0.5, "warmup_epochs": 0},
        "average": None,
        "epochs": 1,
    }
    data = faces()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CollapseWarning)
        train(TINY.override(changes), data.split("train"), data.split("validation"), tmp_path / "run")
    said = [str(warning.message) for warning in caught if warning.category is CollapseWarning]
    if warm_up:
        assert not said
    else:
        (sentence,) = said
        assert "epoch 1: the embeddings are collapsing to one point (variance 0.00" in sentence
        assert "start triplets with semihard mining" in sentence


def test_labels_without_meaning_are_noticed_while_they_are_learnt(tmp_path):
    data = drawn_faces(1500, image_size=32, seed=3)
    shuffled = data.with_labels(np.random.default_rng(0).permutation(len(data)) % 7, data.classes)
    recipe = TINY.override({"losses": ["triplet"], "epochs": 4, "optimizer.lr": 1e-4})
    with pytest.warns(UserWarning, match=r"epoch [2-4]: the classes are not parting"):
        train(recipe, shuffled.split("train"), shuffled.split("validation"), tmp_path / "run")


def test_a_run_stops_when_validation_no_longer_improves(tmp_path):
    recipe = TINY.override({"epochs": 30, "patience": 2, "optimizer.lr": 1e-8, "average": None})
    data = faces()
    train(recipe, data.split("train"), data.split("validation"), tmp_path / "run")
    assert 3 <= len(curve(tmp_path / "run")) < 30


MEMORY = """
import resource, sys, torch
sys.path.insert(0, sys.argv[1])
from test_fit import TINY, faces
from ferembed import train
from ferembed.training.callbacks.guards import TrainingError
import ferembed.training.fit, ferembed.recognizer, timm

recipe = TINY.override({"encoder.image_size": 1024, "batches.size": 64, "epochs": 1})
data = faces()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, used + 2**30))
try:
    train(recipe, data.split("train"), data.split("validation"), sys.argv[2])
except TrainingError as error:
    print(error)
"""


@pytest.mark.processes
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the address space as Linux does")
def test_memory_that_runs_out_names_two_settings(tmp_path):
    command = [sys.executable, "-c", MEMORY, str(Path(__file__).parent), str(tmp_path / "run")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "out of memory: lower batches.size (now 64) or encoder.image_size (now 1024)" in done.stdout, done.stderr


def test_memory_of_a_gpu_is_explained_and_other_errors_are_left_alone():
    balanced = TINY.override({"batches.kind": "class_balanced", "batches.images_per_class": 12})
    with pytest.raises(TrainingError, match=r"batches.images_per_class \(now 12\)"), explain_memory(balanced):
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(RuntimeError, match="shapes"), explain_memory(TINY):
        raise RuntimeError("shapes differ")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, which computes in float16")
def test_half_precision_needs_a_gpu(tmp_path):
    data = faces()
    with pytest.raises(RecipeError, match="fp16 needs a GPU: take bf16"):
        train(TINY.override({"precision": "fp16"}), data.split("train"), data.split("validation"), tmp_path / "run")
    train(TINY.override({"epochs": 1}), data.split("train"), data.split("validation"), tmp_path / "run")


@pytest.mark.parametrize(
    "where",
    [
        {"devices": 0},
        {"devices": "two"},
        {"devices": 9999, "accelerator": "cpu"},
        {"strategy": "together", "devices": 2},
        {"strategy": "ddp_spawn", "devices": 2},
        {"strategy": "ddp_spawn"},
        {"strategy": "xla"},
        {"accelerator": "abacus"},
        {"accelerator": "tpu"},
    ],
)
def test_devices_that_are_not_there_are_named(tmp_path, where):
    data = faces()
    name, value = next(iter(where.items()))
    with pytest.raises(RecipeError, match=f"this machine cannot train with .*{name}={value!r}"):
        train(TINY, data.split("train"), data.split("validation"), tmp_path / "run", **where)
