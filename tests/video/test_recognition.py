"""A video's faces, frame by frame."""

import threading
import tracemalloc
from importlib.resources import files

import numpy as np
import pytest
from clips import ByBrightness, bright_squares, moving, picture, write
from PIL import Image

import ferembed as fe
from ferembed.data.errors import DataError
from ferembed.video import Frame, Timeline, recognize_frames, recognize_video
from ferembed.video._ahead import Ahead


def frames_of(pictures, rate=30):
    return (Frame(place, place / rate, pixels) for place, pixels in enumerate(pictures))


def test_every_frame_comes_once_and_in_order_with_its_face(tmp_path):
    path = write(tmp_path / "clip.mp4", moving(45))
    recognizer = ByBrightness()
    frames = list(recognize_video(recognizer, path, faces=bright_squares))
    assert [frame.index for frame in frames] == list(range(45))
    assert [[face.number for face in frame.faces] for frame in frames] == [[1]] * 45
    for place, frame in enumerate(frames):
        assert np.abs(np.subtract(frame.faces[0].box, (10 + 2 * place, 40, 34 + 2 * place, 64))).max() <= 2
        assert frame.faces[0].label == "happy"
        assert np.isclose(frame.faces[0].smoothed.sum(), 1)
    assert max(recognizer.asked) > 1  # several frames' faces went through the encoder together


def test_what_a_batch_holds_does_not_change_an_answer():
    pictures = [picture([(10 + place, 20), (90, 60)][: 1 + place % 2], grey=90 + 3 * place) for place in range(40)]
    one, eight = (
        list(recognize_frames(ByBrightness(), frames_of(pictures), faces=bright_squares, batch_size=size))
        for size in (1, 8)
    )
    for alone, together in zip(one, eight, strict=True):
        assert [face[:4] for face in alone.faces] == [face[:4] for face in together.faces]
        for mine, other in zip(alone.faces, together.faces, strict=True):
            assert np.allclose(mine.smoothed, other.smoothed)


def test_labels_are_those_of_the_smoothed_probabilities():
    """One dark frame among bright ones is a flicker, many are a change."""
    pictures = [picture([(50, 50)], grey=100 if place == 20 or place > 40 else 250) for place in range(100)]
    frames = list(recognize_frames(ByBrightness(), frames_of(pictures), faces=bright_squares, smoothing=0.3))
    assert frames[20].faces[0].probabilities[1] < 0.5
    assert [frame.faces[0].label for frame in frames[:41]] == ["happy"] * 41
    assert frames[-1].faces[0].label == "sad"


@pytest.mark.parametrize("every", [2, 5, 7])
def test_between_frames_that_are_looked_at_boxes_go_on_evenly(tmp_path, every):
    path = write(tmp_path / "clip.mp4", moving(45))
    looked_at = []

    def find(pixels):
        looked_at.append(1)
        return bright_squares(pixels)

    frames = list(recognize_video(ByBrightness(), path, faces=find, every=every))
    assert len(looked_at) == -(-45 // every)
    last = 44 // every * every
    for place, frame in enumerate(frames):
        assert frame.index == place
        assert np.abs(np.subtract(frame.faces[0].box, (10 + 2 * min(place, last), 40, 34 + 2 * min(place, last), 64))
                      ).max() <= 2  # fmt: skip


def test_a_frame_without_faces_is_a_frame(tmp_path):
    path = write(tmp_path / "clip.mp4", [picture([])] * 9 + [picture([(20, 20)])] * 3)
    frames = list(recognize_video(ByBrightness(), path, faces=bright_squares))
    assert [len(frame.faces) for frame in frames] == [0] * 9 + [1] * 3


def test_what_is_wrong_is_said_at_once_and_whatever_fails_reaches_the_caller(tmp_path):
    with pytest.raises(DataError, match="There is no video"):
        recognize_video(ByBrightness(), tmp_path / "nowhere.mp4")
    path = write(tmp_path / "clip.mp4", moving(45))
    with pytest.raises(ValueError, match="every must be 1"):
        recognize_video(ByBrightness(), path, every=0)

    def failing(pixels):
        raise RuntimeError("no eyes")

    before = threading.active_count()
    with pytest.raises(RuntimeError, match="no eyes"):
        next(recognize_video(ByBrightness(), path, faces=failing))
    frames = recognize_video(ByBrightness(), path, faces=bright_squares)
    next(frames)
    frames.close()
    assert threading.active_count() == before


@pytest.mark.slow
def test_memory_does_not_grow_with_the_video():
    """5,000 frames with a face that wanders, comes and goes under ever new numbers."""
    small = np.zeros((12, 16, 3), np.uint8)

    def find(pixels):
        place = next(calls)
        box = (place * 40 % 16000, 0, place * 40 % 16000 + 20, 20)
        return [bright(box)] if place % 10 < 8 else []

    def bright(box):
        return type(bright_squares(picture([(10, 10)]))[0])(box, 1.0, small)

    calls = iter(range(5000))
    timeline, sizes = Timeline(["sad", "happy"]), []
    frames = (Frame(place, place / 30, small) for place in range(5000))
    tracemalloc.start()
    try:
        for frame in recognize_frames(ByBrightness(), frames, faces=find, lost=0.5):
            timeline.add(frame)
            if frame.index in (2499, 4999):
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert max(face.number for face in timeline.faces) > 2500
    assert sizes[1] < sizes[0] + 50_000


def test_a_camera_s_frames_that_come_too_fast_are_left_out_but_for_the_latest():
    started, seen = threading.Event(), []

    def camera():
        yield 0
        started.wait()
        yield from range(1, 100)
        finished.set()

    finished = threading.Event()
    with Ahead(camera(), 1, latest=True) as frames:
        seen.append(next(frames))
        started.set()
        finished.wait()
        seen.extend(frames)
    assert seen == [0, 99]


def test_frames_that_are_fetched_ahead_are_few_and_all_come():
    fetched = []

    def source():
        for place in range(50):
            fetched.append(place)
            yield place

    with Ahead(source(), 4) as frames:
        for place, item in enumerate(frames):
            assert item == place
            assert len(fetched) <= place + 6
    assert len(fetched) == 50


def test_the_shipped_recogniser_follows_the_portrait(tmp_path):
    portrait = Image.open(files("ferembed.cli") / "portrait.jpg").convert("RGB")
    pictures = []
    for place in range(8):
        ground = Image.new("RGB", (320, 240), (90, 110, 120))
        ground.paste(portrait.crop((100, 30, 340, 260)), (4 * place, 5))
        pictures.append(np.asarray(ground))
    recognizer = fe.load()
    frames = list(recognize_video(recognizer, write(tmp_path / "clip.mp4", pictures)))
    assert [[face.number for face in frame.faces] for frame in frames] == [[1]] * 8
    assert {frame.faces[0].label for frame in frames} == {"happy"}
    lefts = [frame.faces[0].box[0] for frame in frames]
    assert 15 < lefts[-1] - lefts[0] < 41
