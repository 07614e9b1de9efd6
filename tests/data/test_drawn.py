from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferembed.data import SPLITS, drawn_faces
from ferembed.labels import FER2013_CLASSES


def test_the_same_seed_gives_the_same_faces():
    first, second, other = drawn_faces(140), drawn_faces(140), drawn_faces(140, seed=1)
    assert np.array_equal(first.images, second.images)
    assert first.labels.tolist() == second.labels.tolist()
    assert not np.array_equal(first.images, other.images)


@settings(max_examples=15)
@given(n=st.integers(150, 400), imbalance=st.floats(1, 5), seed=st.integers(0, 99))
def test_classes_and_splits_have_their_shares(n, imbalance, seed):
    faces = drawn_faces(n, image_size=12, imbalance=imbalance, seed=seed)
    counts = faces.class_counts()
    assert len(faces) == n
    assert faces.classes == FER2013_CLASSES
    assert counts["happy"] >= max(counts.values()) - 1  # whole faces: equal shares may differ by one
    most, least = counts["happy"], counts["disgust"]
    assert (most - 1) / (least + 1) <= imbalance <= (most + 1) / (least - 1)
    for name, share in zip(SPLITS, (0.7, 0.15, 0.15), strict=True):
        for label in range(7):
            whole = np.sum(faces.labels == label)
            assert abs(np.sum((faces.labels == label) & (faces.splits == name)) - share * whole) <= 1


def test_label_noise_is_in_train_only_and_leaves_the_pixels():
    true, noisy = drawn_faces(700), drawn_faces(700, label_noise=0.25)
    assert np.array_equal(true.images, noisy.images)
    assert true.splits.tolist() == noisy.splits.tolist()
    changed = true.labels != noisy.labels
    train = true.splits == "train"
    assert not changed[~train].any()
    assert changed.sum() == round(0.25 * train.sum())


def test_no_face_is_blank_or_twice_the_same(drawn):
    assert not drawn.blank.any()
    assert len(set(drawn.pixel_hashes)) == len(drawn)


def test_images_have_the_size_asked_for():
    assert drawn_faces(70, image_size=64).images.shape == (70, 64, 64)


def test_many_faces_are_drawn_together_not_one_after_the_other(calls_of):
    few, many = (calls_of(drawn_faces, count) for count in (350, 700))
    assert many - few < 12 * 350


def test_a_small_network_learns_what_raw_pixels_do_not_show():
    import torch
    from sklearn.neighbors import KNeighborsClassifier
    from torch import nn

    faces = drawn_faces(2000, image_size=32)
    train = faces.splits == "train"
    pixels = faces.images.reshape(2000, -1) / 255.0
    neighbours = KNeighborsClassifier(5).fit(pixels[train], faces.labels[train])
    assert neighbours.score(pixels[~train], faces.labels[~train]) < 0.4

    torch.manual_seed(0)
    images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 32, 32) - 0.5
    labels = torch.tensor(faces.labels)
    stages = [
        layer
        for i, o in ((1, 16), (16, 32), (32, 64))
        for layer in (nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2))
    ]
    network = nn.Sequential(*stages, nn.Flatten(), nn.Linear(64 * 16, 7))
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    rows = torch.tensor(np.flatnonzero(train))
    for _ in range(10):
        for batch in rows[torch.randperm(len(rows))].split(64):
            loss = nn.functional.cross_entropy(network(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        answers = network.eval()(images[~train]).argmax(1)
    assert (answers == labels[~train]).float().mean() > 0.6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"n": 20}, "too few"),
        ({"n": -1}, "too few"),
        ({"imbalance": 0.5}, "imbalance must be at least 1"),
        ({"imbalance": float("nan")}, "imbalance"),
        ({"label_noise": 1.0}, "label_noise must be in"),
        ({"image_size": 0}, "image_size"),
    ],
)
def test_arguments_out_of_range(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        drawn_faces(**arguments)
