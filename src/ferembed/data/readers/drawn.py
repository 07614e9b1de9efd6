"""Faces drawn on demand: seven expressions from the geometry of brows, eyes and mouth, for tests and examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.data.dataset import SPLITS, FaceDataset
from ferembed.data.readers._sketch import sketch
from ferembed.data.readers.sources import Source, reader
from ferembed.labels import FER2013_CLASSES

DRAWN = "drawn"
"""The name that stands for faces drawn on demand."""

SHARES: tuple[float, ...] = (0.7, 0.15, 0.15)
"""The shares of train, validation and test in each class."""

FREQUENCY: tuple[str, ...] = ("happy", "neutral", "sad", "fear", "angry", "surprise", "disgust")
"""Classes from the most to the least frequent where classes are unequal: FER2013's order."""

# What an expression at full strength adds to the neutral face, after the action units of Ekman and Friesen (1978).
_EXPRESSIONS: dict[str, dict[str, float]] = {
    "angry": {
        "brow_inner": -0.13, "brow_outer": 0.02, "eye_open": -0.15, "squint": 0.3, "frown": 1.0, "corner": -0.06,
        "mouth_width": -0.04, "lip": -0.02, "mouth_open": 0.03,
    },
    "disgust": {
        "brow_inner": -0.07, "brow_outer": -0.03, "eye_open": -0.45, "squint": 0.4, "wrinkle": 1.0, "fold": 0.9,
        "lip_raise": 0.07, "corner": -0.06, "mouth_open": 0.05,
    },
    "fear": {
        "brow_inner": 0.13, "brow_outer": 0.03, "brow_arch": -0.03, "eye_open": 0.55, "corner": -0.05,
        "mouth_width": 0.06, "mouth_open": 0.16, "teeth": 0.06,
    },
    "happy": {
        "eye_open": -0.25, "squint": 0.45, "fold": 0.8, "corner": 0.16, "mouth_width": 0.1, "mouth_open": 0.14,
        "teeth": 0.1,
    },
    "sad": {
        "brow_inner": 0.11, "brow_outer": -0.09, "brow_arch": -0.02, "eye_open": -0.35, "corner": -0.13,
        "mouth_width": -0.02,
    },
    "surprise": {
        "brow_inner": 0.14, "brow_outer": 0.15, "brow_arch": 0.04, "eye_open": 0.55, "mouth_open": 0.34,
        "mouth_width": -0.1, "lip": 0.01,
    },
    "neutral": {},
}  # fmt: skip

# The range each person, pose, light and camera is drawn from, evenly.
_RANGES: dict[str, tuple[float, float]] = {
    "head_width": (0.74, 0.9), "head_height": (1.02, 1.16), "jaw": (0.0, 0.25),
    "skin": (0.42, 0.8), "hair": (0.06, 0.4), "hairline": (-0.95, -0.66), "fringe": (-0.2, 0.3),
    "hair_length": (-0.2, 1.0), "background": (0.1, 0.9), "backdrop": (-0.25, 0.25),
    "eye_y": (-0.24, -0.14), "eye_gap": (0.34, 0.42), "eye_width": (0.17, 0.22), "eye_height": (0.075, 0.105),
    "eye_open": (0.85, 1.15), "squint": (0.0, 0.15), "iris": (0.08, 0.35), "gaze": (-0.04, 0.04),
    "brow_height": (0.19, 0.27), "brow_inner": (-0.01, 0.04), "brow_outer": (-0.05, 0.01), "brow_arch": (0.0, 0.06),
    "brow_width": (0.025, 0.05), "brow": (0.08, 0.3),
    "nose_y": (0.14, 0.24), "nose_width": (0.13, 0.2), "wrinkle": (0.0, 0.2), "frown": (0.0, 0.2), "fold": (0.0, 0.5),
    "mouth_y": (0.5, 0.62), "mouth_width": (0.27, 0.36), "mouth_open": (0.0, 0.03), "corner": (-0.03, 0.03),
    "lip": (0.025, 0.055), "lip_tone": (0.6, 0.85), "lip_raise": (0.0, 0.0), "teeth": (0.0, 0.0),
    "roll": (-0.25, 0.25), "yaw": (-0.22, 0.22), "scale": (0.88, 1.12), "shift_x": (-0.12, 0.12),
    "shift_y": (-0.12, 0.12), "light_x": (-0.35, 0.35), "light_y": (-0.2, 0.2), "noise": (0.01, 0.07),
}  # fmt: skip

_GLASSES = 0.15
_STRENGTH = (0.35, 1.1)


def drawn_faces(
    n: int = 2000,
    *,
    image_size: int = 48,
    imbalance: float = 1.0,
    label_noise: float = 0.0,
    seed: int = 0,
) -> FaceDataset:
    """Draw faces with the seven expressions of FER2013.

    Each face is another person in another pose and light, with an expression of random strength; some wear glasses.
    Each class is divided 70 : 15 : 15 into train, validation and test, as nearly as whole faces allow.

    Parameters
    ----------
    n : int
        Number of faces.
    image_size : int
        Height and width in pixels.
    imbalance : float, at least 1
        How many times more faces the largest class (happy) has than the smallest (disgust); the others lie between
        them on a geometric scale, in the order of FER2013's.
    label_noise : float in [0, 1)
        Share of the training faces whose label is replaced by another class. Validation and test labels stay true; the
        same call with ``label_noise=0`` gives the same faces with all labels true.
    seed : int
        The same arguments give the same faces.

    Returns
    -------
    FaceDataset
        Images (n, image_size, image_size) of uint8 in random order.

    Raises
    ------
    ValueError
        If an argument is out of range, or ``n`` faces do not give each class one face in each split.

    Examples
    --------
    >>> faces = drawn_faces(700, imbalance=4)
    >>> faces
    FaceDataset(700 images of 48 x 48, 7 classes; train 489, validation 107, test 104)
    >>> counts = faces.class_counts()
    >>> round(counts["happy"] / counts["disgust"], 1)
    4.0
    """
    if image_size < 1:
        raise ValueError(f"image_size must be at least 1, not {image_size}.")
    if not imbalance >= 1:
        raise ValueError(f"imbalance must be at least 1, not {imbalance}.")
    if not 0 <= label_noise < 1:
        raise ValueError(f"label_noise must be in [0, 1), not {label_noise}.")
    person_rng, noise_rng, label_rng = (np.random.default_rng([seed, stream]) for stream in range(3))
    labels, splits = _plan(n, imbalance, person_rng)
    images = sketch(_parameters(labels, person_rng), image_size, noise_rng)
    labels = _with_noise(labels, splits == SPLITS[0], label_noise, label_rng)
    return FaceDataset(images, labels, FER2013_CLASSES, splits=splits, source="drawn faces")


@reader("'drawn'", takes=lambda source: source == DRAWN)
def _by_name(source: Source, *, image_size: int = 48, **options: Any) -> FaceDataset:
    return drawn_faces(image_size=image_size, **options)


def _plan(n: int, imbalance: float, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    """The true label and the split of each face, in random order."""
    rank = np.array([FREQUENCY.index(name) for name in FER2013_CLASSES])
    weights = float(imbalance) ** (-rank / (len(rank) - 1))
    counts = _apportion(n, weights)
    cells = np.stack([_apportion(int(count), np.array(SHARES)) for count in counts])
    if cells.min() < 1:
        raise ValueError(f"n={n} faces are too few for every class to be in every split; ask for more.")
    labels = np.repeat(np.arange(len(counts)), counts)
    splits = np.concatenate([np.repeat(SPLITS, row) for row in cells])
    order = rng.permutation(n)
    return labels[order], splits[order]


def _apportion(total: int, weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers in proportion to ``weights`` that sum to ``total``, by largest remainders."""
    exact = total * weights / weights.sum()
    whole: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    whole[np.argsort(whole - exact, kind="stable")[: total - int(whole.sum())]] += 1
    return whole


def _parameters(labels: NDArray[np.int64], rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    n = len(labels)
    faces = {name: rng.uniform(low, high, n) for name, (low, high) in _RANGES.items()}
    strength = rng.uniform(*_STRENGTH, n)
    for name in faces:
        full = np.array([_EXPRESSIONS[emotion].get(name, 0.0) for emotion in FER2013_CLASSES])
        if full.any():
            faces[name] += full[labels] * strength * rng.uniform(0.7, 1.3, n)
    faces["glasses"] = (rng.uniform(size=n) < _GLASSES).astype(float)
    return {name: value.astype(np.float32) for name, value in faces.items()}


def _with_noise(
    labels: NDArray[np.int64], train: NDArray[np.bool_], share: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    rows = np.flatnonzero(train)
    flipped = rng.permutation(rows)[: round(share * len(rows))]
    noisy = labels.copy()
    steps = rng.integers(1, len(FER2013_CLASSES), len(flipped))
    noisy[flipped] = (labels[flipped] + steps) % len(FER2013_CLASSES)
    return noisy
