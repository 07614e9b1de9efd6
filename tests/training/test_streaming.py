"""Data that stays in files: the same batches, the same losses and the same place to go on from as data in memory."""

import multiprocessing
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ferembed import DataError, Recognizer, drawn_faces, train
from ferembed.data import load_folder
from ferembed.training.face_data import FaceData
from ferembed.training.loaders import decoded

sys.path.insert(0, str(Path(__file__).parent))
from starter import at_step
from test_fit import TINY, curve

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("faces")
    faces = drawn_faces(300, image_size=32, seed=3)
    for image, label, split, number in zip(faces.images, faces.labels, faces.splits, faces.ids, strict=True):
        folder = root / split / faces.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number:03}.png")
    return root


def face_data(root, *, workers=0, in_memory=False, kind="natural", **options):
    faces = load_folder(root, image_size=32, in_memory=in_memory, **options)
    recipe = TINY.override({"workers": workers, "batches.kind": kind, "batches.images_per_class": 4})
    return FaceData(recipe, faces.split("train"), faces.split("validation"))


def batches_of(data, loader):
    return [data.train_faces.gather(batch) for batch in loader]


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("kind", ["natural", "class_balanced", "pairs"])
def test_batches_are_those_of_memory(root, workers, colour, kind):
    memory = face_data(root, in_memory=True, kind=kind, colour=colour)
    files = face_data(root, workers=workers, kind=kind, colour=colour)
    assert files.train_faces.files is not None
    loaders = memory.train_dataloader(), files.train_dataloader()
    for _ in range(2):
        expected, streamed = (batches_of(d, loader) for d, loader in zip((memory, files), loaders, strict=True))
        assert len(streamed) == len(expected) == len(loaders[1])
        for one, other in zip(expected, streamed, strict=True):
            assert torch.equal(one.images, other.images)
            assert torch.equal(one.labels, other.labels)
    for one, other in zip(memory.val_dataloader(), files.val_dataloader(), strict=True):
        pixels = [batch.pixels for batch in other]
        assert sum(map(len, pixels)) == sum(len(batch.rows) for batch in one)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("taken", [0, 1, 4, 6])
def test_the_state_counts_what_training_took_not_what_workers_read(root, workers, taken):
    data = face_data(root, workers=workers)
    loader = data.train_dataloader()
    batches = iter(loader)
    for _ in range(taken):
        next(batches)
    time.sleep(0.2)
    state = loader.state_dict()
    assert state["position"] == taken
    rest = [batch.rows.tolist() for batch in batches]
    resumed = data.train_dataloader()
    resumed.load_state_dict(state)
    if taken < len(loader):
        assert [batch.rows.tolist() for batch in resumed] == rest
    assert resumed.sampler.epoch == loader.sampler.epoch == 1


def test_workers_leave_nothing_behind(root):
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    states = torch.get_rng_state(), random.getstate()
    others = set(multiprocessing.active_children())
    loader = face_data(root, workers=2).train_dataloader()
    list(loader)
    batches = iter(loader)
    next(batches)
    assert len(set(multiprocessing.active_children()) - others) == 2
    batches.close()
    assert set(multiprocessing.active_children()) <= others
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_breaks_is_named_in_one_sentence(root, tmp_path, workers):
    for number in range(3):
        (tmp_path / "happy").mkdir(exist_ok=True)
        Image.new("L", (8, 8)).save(tmp_path / "happy" / f"{number}.png")
    files = load_folder(tmp_path, in_memory=False).images
    (tmp_path / "happy" / "1.png").write_bytes(b"\x89PNG")
    batches = decoded(files, [[0, 2], [1, 2]], workers)
    assert next(batches).shape == (2, 48, 48)
    with pytest.raises(DataError, match=r"^\S*1\.png cannot be decoded as an image \("):
        next(batches)


def folder_run(root, out, how):
    faces = load_folder(root, image_size=32, in_memory=how == "memory")
    recipe = TINY.override({"workers": 0 if how == "memory" else 2})
    train(recipe, faces.split("train"), faces.split("validation"), out)


@pytest.fixture(scope="module")
def from_memory(starter, root, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "memory"
    assert starter.run(folder_run, root, out, "memory") == 0
    return out


def test_a_streamed_run_has_the_losses_of_one_from_memory(starter, root, from_memory, tmp_path):
    assert starter.run(folder_run, root, tmp_path / "files", "files") == 0
    assert curve(tmp_path / "files") == curve(from_memory)
    assert len(curve(from_memory)) == TINY.epochs


def test_a_streamed_run_that_is_stopped_in_an_epoch_goes_on_to_the_same_end(starter, root, from_memory, tmp_path):
    steps = len(face_data(root).train_dataloader())
    cut = [folder_run, root, tmp_path / "cut", "files"]
    assert starter.run(*cut, moment=at_step(steps + steps // 2)) == 128 + 15
    assert starter.run(*cut) == 0
    assert curve(tmp_path / "cut") == curve(from_memory)
    images = load_folder(root, image_size=32).images
    answers = [Recognizer.load(out).predict_proba(images) for out in (tmp_path / "cut", from_memory)]
    np.testing.assert_allclose(*answers, atol=1e-6)


def test_a_recogniser_is_built_from_files_and_answers_for_them(root, tmp_path):
    files = load_folder(root, image_size=32, in_memory=False)
    recognizer = train(TINY.override({"epochs": 1}), files.split("train"), files.split("validation"), tmp_path / "run")
    memory = load_folder(root, image_size=32)
    np.testing.assert_allclose(recognizer.encode(files.images), recognizer.encode(memory.images), atol=1e-6)
    assert recognizer.copies_in_gallery(files).sum() == len(files.split("train"))


MEMORY = """
import gc, resource, sys
import numpy as np, torch
from ferembed.data import load_folder
from ferembed.recognizer.inputs import prepared_batches
sys.path.insert(0, sys.argv[1])
from test_fit import TINY
from ferembed.training.face_data import FaceData
def anonymous():
    "MiB of memory that is this process's own, without files and what workers share with it."
    status = open("/proc/self/status").read()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024
faces = load_folder(sys.argv[2], image_size=256, colour=True, in_memory=False)
size = {"batches.size": 4, "encoder.channels": 3, "encoder.image_size": 256}
def most_while_reading(faces, workers):
    data = FaceData(TINY.override({"workers": workers, **size}), faces, faces.subset([0]))
    most = 0
    for batch in data.train_dataloader():
        data.train_faces.gather(batch)
        most = max(most, anonymous())
    _ = faces.fingerprint
    for batch in prepared_batches(faces.images, size=256, channels=3, batch_size=4):
        most = max(most, anonymous())
    return most
print(np.prod(faces.images.shape) / 2**20)
for workers in (0, 2):
    before = most_while_reading(faces.subset(np.arange(100)), workers)
    print(most_while_reading(faces, workers) - before)
"""


@pytest.mark.slow
def test_memory_holds_a_few_batches_however_large_the_data(tmp_path):
    noise = np.random.default_rng(0)
    for number in range(400):
        folder = tmp_path / ("happy", "sad")[number % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (8, 8), np.uint8)).save(folder / f"{number}.png")
    command = [sys.executable, "-c", MEMORY, str(Path(__file__).parent), str(tmp_path)]
    # Arrays go back to the system as they are freed, so that what is counted is what is held.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    pixels, *growth = map(float, done.stdout.split())
    assert pixels == 75
    assert max(growth) < 0.25 * pixels
