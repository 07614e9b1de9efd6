"""The geometry of the benchmark of faces in photos, on drawn faces."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ferembed as fe

FRAMES = fe.drawn_faces(100).images[:10]


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("faces")


def test_the_whole_frame_cut_out_of_its_picture_is_the_frame(bench):
    whole = np.tile([0.0, 0.0, 1.0, 1.0], (len(FRAMES), 1))
    whole[3] = np.nan
    crops = list(bench.Pictures(FRAMES).cut(whole, margin=0, shift=0))
    assert len(crops) == 9
    assert {len(crop) for crop in crops} == set(bench.SIDES)
    for frame, crop in zip(np.delete(FRAMES, 3, axis=0), crops, strict=True):
        enlarged = Image.fromarray(frame).resize(crop.shape[:2], Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(crop, np.repeat(np.asarray(enlarged)[..., None], 3, axis=2))


def test_pictures_are_turned_about_their_middle_to_either_side(bench):
    upright, turned = bench.Pictures(FRAMES), bench.Pictures(FRAMES, 20)
    for row, degrees in ((0, 20), (1, -20)):
        side = len(turned[row])
        back = np.asarray(Image.fromarray(turned[row]).rotate(-degrees, Image.Resampling.BILINEAR), np.float64)
        middle = slice(side // 4, -(side // 4))
        assert np.abs(back - upright[row])[middle, middle].mean() < 4


def test_the_framing_that_undoes_a_reframing_is_found(bench):
    """Frames whose boxes a detector makes smaller by 0.1 of its side all around and sets lower by 0.05."""
    box = np.array([[0.5 - 0.5 / 1.2, 0.5 - 0.5 / 1.2 + 0.05 / 1.2, 0.5 + 0.5 / 1.2, 0.5 + 0.5 / 1.2 + 0.05 / 1.2]])
    best = bench.framing(np.repeat(box, 5, axis=0))
    assert best == {"margin": 0.1, "shift": -0.05, "iou": pytest.approx(1)}


def test_tiles_are_shuffled_and_none_is_lost(bench):
    mixed = bench.shuffled(FRAMES, np.random.default_rng(0))
    assert not np.array_equal(mixed, FRAMES)
    np.testing.assert_array_equal(np.sort(mixed.reshape(10, -1)), np.sort(FRAMES.reshape(10, -1)))
