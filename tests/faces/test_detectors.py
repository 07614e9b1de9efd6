"""dlib's detector and detectors of one's own."""

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from ferembed.data import DataError
from ferembed.faces import Found, HogDetector
from ferembed.faces.detectors import as_found

SURE = HogDetector(threshold=1.0)


def scaled(pixels, size):
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def overlap(a, b):
    """Intersection over union of two boxes."""
    (across, down) = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = max(across, 0) * max(down, 0)
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


def test_the_face_of_the_portrait_is_found(portrait):
    boxes, scores, landmarks = SURE(portrait)
    assert (boxes.shape, scores.shape, landmarks) == ((1, 4), (1,), None)
    assert overlap(boxes[0], np.array([180, 84, 267, 171])) > 0.8


def test_a_higher_threshold_keeps_the_surest(portrait):
    loose, strict = HogDetector(threshold=-1.0)(portrait), HogDetector(threshold=0.0)(portrait)
    assert len(loose.scores) > len(strict.scores)
    assert strict.scores.tolist() == sorted(loose.scores[loose.scores >= 0], reverse=True)


def test_boxes_stay_in_the_photos_pixels_however_it_is_scaled(portrait):
    box = SURE(portrait).boxes[0]
    small = scaled(portrait, (256, 256))
    assert not len(SURE(small).boxes)  # its face has 44 pixels
    for detector in (HogDetector(upsample=1, threshold=0.5), HogDetector(upsample=1, smallest=42, threshold=0.5)):
        assert overlap(detector(small).boxes[0], box / 2) > 0.8
    large = scaled(portrait, (3000, 3000))  # 9 megapixels, which are looked at in 4
    for detector in (SURE, HogDetector(smallest=300, threshold=0.5)):
        assert overlap(detector(large).boxes[0], box * 3000 / 512) > 0.8
    assert not len(HogDetector(smallest=1500)(large).boxes)


def test_a_photo_too_small_for_a_face_has_none():
    for shape in ((1, 1), (1, 900), (900, 1), (30, 40)):
        for detector in (HogDetector(), HogDetector(upsample=2), HogDetector(smallest=5000)):
            assert not len(detector(np.full((*shape, 3), 127, np.uint8)).boxes)


def test_a_detector_travels_and_is_asked_by_threads_at_once(portrait):
    """dlib's own crashes the process where two threads ask one object."""
    sizes = [(400, 400), (700, 700)] * 6
    photos = [scaled(portrait, size) for size in sizes]
    alone = [HogDetector()(photo) for photo in photos]
    travelled = pickle.loads(pickle.dumps(copy.deepcopy(HogDetector())))
    assert travelled == HogDetector()
    with ThreadPoolExecutor(4) as pool:
        for mine, theirs in zip(alone, pool.map(travelled, photos), strict=True):
            np.testing.assert_array_equal(mine.boxes, theirs.boxes)
            np.testing.assert_array_equal(mine.scores, theirs.scores)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"upsample": -1}, "upsample must be 0, 1 or 2"),
        ({"upsample": 0.5}, "upsample must be 0, 1 or 2"),
        ({"smallest": 79}, "smallest must be 80 pixels at least with upsample=0, not 79"),
        ({"upsample": 1, "smallest": 39}, "smallest must be 40 pixels"),
        ({"smallest": float("nan")}, "smallest must be"),
        ({"threshold": float("nan")}, "threshold must be a number"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, problem):
    with pytest.raises(ValueError, match=problem):
        HogDetector(**parameters)


def test_without_dlib_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with (
        ThreadPoolExecutor(1) as pool,  # a thread that has no detector yet
        pytest.raises(ImportError, match=r"^finding faces needs dlib: pip install 'ferembed\[faces\]'$"),
    ):
        pool.submit(HogDetector(), np.zeros((90, 90, 3), np.uint8)).result()


def test_a_detectors_answer_may_be_lists_of_any_numbers():
    eyes = [[[20, 20], [40, 20], [30, 40]]]
    found = as_found(([[10, 10, 50, 50]], [1], eyes))
    assert isinstance(found, Found)
    np.testing.assert_array_equal(found.landmarks, eyes)
    assert found.boxes.dtype == found.scores.dtype == found.landmarks.dtype == np.float64
    assert as_found((np.array([[0, 0, 2, 2]], np.float16), np.float32([0.5]), None)).landmarks is None


@pytest.mark.parametrize("nothing", [[], np.empty((0, 4)), np.empty((0, 15), np.float32), (), np.empty((1, 0, 4))])
def test_an_empty_answer_of_any_shape_is_no_face(nothing):
    found = as_found((nothing, [], None))
    assert (found.boxes.shape, found.scores.shape, found.landmarks) == ((0, 4), (0,), None)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "three things"),
        (([[0, 0, 1, 1]], [1.0]), "three things"),
        (([[0, 0, 1]], [1.0], None), r"boxes must have shape \(n, 4\), not \(1, 3\)"),
        (([0, 0, 1, 1], [1.0], None), r"boxes must have shape \(n, 4\), not \(4,\)"),
        (([[0, 0, 1, 1], [0, 0, 1]], [1.0, 1.0], None), "boxes must be numbers"),
        (([["a", "b", "c", "d"]], [1.0], None), "boxes must be numbers"),
        (([[0, 0, 1, np.nan]], [1.0], None), "boxes hold NaN or infinity"),
        (([[0, 0, 0, 1]], [1.0], None), "right of left, lower of upper"),
        (([[0, 5, 1, 4]], [1.0], None), "right of left, lower of upper"),
        (([[0, 0, 1, 1]], [1.0, 2.0], None), r"scores must have shape \(1,\) as its boxes, not \(2,\)"),
        (([[0, 0, 1, 1]], [np.inf], None), "scores hold NaN or infinity"),
        (([[0, 0, 1, 1]], [1.0], [[[0, 0]]]), r"landmarks must have shape \(1, 2 or more, 2\)"),
        (([[0, 0, 1, 1]], [1.0], [[0, 0], [1, 1]]), r"landmarks must have shape .*, not \(2, 2\)"),
    ],
)
def test_another_answer_is_refused_in_one_sentence(answer, problem):
    with pytest.raises(DataError, match=f"^a detector.*{problem}[^\\n]*\\.$"):
        as_found(answer)
