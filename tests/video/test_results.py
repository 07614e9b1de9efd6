"""What is written of a video."""

import csv

import av
import numpy as np
import pytest
from clips import CLASSES, ByBrightness, bright_squares, picture, write
from PIL import Image

from ferembed.data.errors import DataError
from ferembed.evaluation.plots.canvas import new_figure
from ferembed.labels import COLOURS
from ferembed.video import (
    Timeline,
    Video,
    VideoFace,
    VideoFrame,
    annotated_video,
    plot_timeline,
    recognize_video,
    write_video_results,
)


@pytest.fixture
def clip(tmp_path):
    """Two squares that pass each other, at uneven times; the darker one is sad."""
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.01, 0.08, 40)).round(3)
    pictures = []
    for place in range(40):
        pixels = picture([(10 + 3 * place, 20)], size=(161, 121))
        pixels[70:94, 120 - 3 * place + 3 : 147 - 3 * place] = 100
        pictures.append(pixels[:120, :160])
    return write(tmp_path / "clip.mp4", pictures, times=times)


def test_an_annotated_copy_has_all_frames_at_their_times(clip, tmp_path):
    write_video_results(ByBrightness(), clip, faces=bright_squares, annotate=tmp_path / "copy.mp4")
    with Video(clip) as video, Video(tmp_path / "copy.mp4") as copy:
        before, after = list(video), list(copy)
    assert np.allclose([frame.time for frame in before], [frame.time for frame in after], atol=1e-4)
    happy = np.array([int(COLOURS["happy"][start : start + 2], 16) for start in (1, 3, 5)])
    for plain, drawn in zip(before, after, strict=True):
        assert drawn.pixels.shape == plain.pixels.shape
        assert (np.abs(drawn.pixels.astype(int) - happy).max(axis=2) < 60).sum() > 30
        assert not (np.abs(plain.pixels.astype(int) - happy).max(axis=2) < 60).any()


def test_the_copy_of_odd_sides_and_of_frames_that_change_their_size_is_whole(tmp_path):
    face = VideoFace(1, (5, 5, 30, 30), 1.0, "happy", np.array([0.1, 0.9]), np.array([0.1, 0.9]))
    with annotated_video(tmp_path / "copy.mp4", CLASSES) as take:
        for place, side in enumerate([101, 101, 61]):
            take(VideoFrame(place, place / 10, np.full((side, side + 60, 3), 80, np.uint8), (face,)))
    with Video(tmp_path / "copy.mp4") as copy:
        assert [frame.pixels.shape for frame in copy] == [(100, 160, 3)] * 3


def test_the_older_encoder_writes_a_copy_too(clip, tmp_path, monkeypatch):
    monkeypatch.setattr("ferembed.video.writing.ENCODERS", {"mpeg4": {"qmin": "2", "qmax": "5"}})
    write_video_results(ByBrightness(), clip, faces=bright_squares, annotate=tmp_path / "copy.mp4")
    with av.open(str(tmp_path / "copy.mp4")) as copy:
        assert copy.streams.video[0].codec_context.name == "mpeg4"
        assert sum(1 for _ in copy.decode(video=0)) == 40


def test_the_table_says_what_the_frames_say(clip, tmp_path):
    write_video_results(ByBrightness(), clip, faces=bright_squares, csv=tmp_path / "faces.csv")
    with open(tmp_path / "faces.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    faces = [
        (frame, face) for frame in recognize_video(ByBrightness(), clip, faces=bright_squares) for face in frame.faces
    ]
    assert len(rows) == len(faces) == 80
    for row, (frame, face) in zip(rows, faces, strict=True):
        assert abs(float(row["time"]) - frame.time) < 1e-4
        assert (int(row["frame"]), int(row["face"]), row["label"]) == (frame.index, face.number, face.label)
        assert tuple(int(row[edge]) for edge in ("left", "upper", "right", "lower")) == face.box
        assert np.allclose([float(row[name]) for name in CLASSES], face.smoothed, atol=1e-5)


def test_the_timeline_sums_a_video_up(clip, tmp_path):
    timeline = write_video_results(ByBrightness(), clip, faces=bright_squares, plot=tmp_path / "plot.png")
    bright, dark = timeline.faces
    assert (bright.number, bright.label, bright.frames) == (1, "happy", 40)
    assert (dark.number, dark.label, dark.frames) == (2, "sad", 40)
    assert timeline.frames == 40
    with Image.open(tmp_path / "plot.png") as plot:
        assert plot.width > 600


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_work_that_is_broken_off_leaves_no_file_and_no_loss(clip, tmp_path, error):
    (tmp_path / "faces.csv").write_text("as it was")
    seen = []

    def failing(pixels):
        seen.append(1)
        if len(seen) == 20:
            raise error
        return bright_squares(pixels)

    before = sorted(path.name for path in tmp_path.iterdir())
    names = {"annotate": tmp_path / "copy.mp4", "csv": tmp_path / "faces.csv", "plot": tmp_path / "plot.png"}
    with pytest.raises(error):
        write_video_results(ByBrightness(), clip, faces=failing, **names)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "faces.csv").read_text() == "as it was"


def test_a_video_is_not_written_over_itself_or_in_another_format(clip, tmp_path):
    with pytest.raises(DataError, match="is the video itself"):
        write_video_results(ByBrightness(), clip, annotate=clip)
    with pytest.raises(ValueError, match=r"must end with \.mp4"):
        write_video_results(ByBrightness(), clip, annotate=tmp_path / "copy.gif")
    assert clip.stat().st_size > 1000


@pytest.fixture
def camera(monkeypatch):
    """FFmpeg's test picture in the place of a camera: a device without an end, as fast as it is asked."""
    monkeypatch.setattr("ferembed.video.reading._device", lambda number: ("testsrc=rate=30:size=160x120", "lavfi"))


def test_a_camera_is_recorded_until_it_is_told_to_stop(camera, tmp_path):
    stops = iter([None] * 10 + [KeyboardInterrupt])

    def find(pixels):
        if (stop := next(stops)) is not None:
            raise stop
        return bright_squares(pixels)[:1]

    names = {"annotate": tmp_path / "copy.mp4", "csv": tmp_path / "faces.csv", "plot": tmp_path / "plot.png"}
    timeline = write_video_results(ByBrightness(), 0, faces=find, **names)
    assert timeline.frames == 10
    with Video(tmp_path / "copy.mp4") as copy:
        assert len(list(copy)) == 10
    assert len((tmp_path / "faces.csv").read_text().splitlines()) == 11
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_of_a_camera_the_faces_of_one_frame_at_a_time_are_encoded(camera):
    recognizer = ByBrightness()
    frames = recognize_video(recognizer, 0, faces=lambda pixels: bright_squares(pixels)[:1])
    indices = [next(frames).index for _ in range(5)]
    frames.close()
    assert recognizer.asked == [1] * 5
    assert indices == sorted(set(indices))


def seen(index, time, rows):
    """A frame with these faces: probabilities by number."""
    faces = tuple(
        VideoFace(number, (0, 0, 9, 9), 1.0, "", np.array(row), np.array(row)) for number, row in rows.items()
    )
    return VideoFrame(index, time, np.zeros((9, 9, 3), np.uint8), faces)


def test_bins_hold_means_however_long_the_video():
    timeline, rng = Timeline(["a", "b"]), np.random.default_rng(0)
    times, rows = np.arange(5000) / 10, rng.dirichlet([1, 1], 5000)
    for index, (time_, row) in enumerate(zip(times, rows, strict=True)):
        timeline.add(seen(index, time_, {1: row}))
    at, shares = timeline.probabilities(1)
    assert 400 <= len(at) <= 800
    assert (np.diff(at) > 0).all()
    places = np.searchsorted(np.unique((times / timeline._width).astype(int)), (times / timeline._width).astype(int))
    naive = np.array([rows[places == place].mean(axis=0) for place in range(places.max() + 1)])
    assert np.allclose(shares, naive)
    assert np.allclose(timeline.faces[0].probabilities, rows.mean(axis=0))


def test_a_short_video_keeps_each_frame_and_parts_where_a_face_was_away():
    timeline = Timeline(["a", "b"])
    for index in range(90):
        time_ = index / 30
        timeline.add(seen(index, time_, {} if 1 < time_ < 2 else {1: [0.2, 0.8]}))
    parts = timeline.parts(1)
    assert [len(times) for times, _ in parts] == [31, 30]
    assert np.allclose(parts[0][0], np.arange(31) / 30)
    assert np.isclose(parts[1][0][0], 2)


def test_the_plot_shows_the_faces_seen_most_and_says_how_many_more_there_were():
    timeline = Timeline(["happy", "sad"])
    for index in range(100):
        timeline.add(seen(index, index / 10, {number: [0.7, 0.3] for number in range(1, 10) if index < 10 * number}))
    figure = plot_timeline(timeline)
    assert [ax.get_ylabel() for ax in figure.axes] == [f"face {number}" for number in range(4, 10)]
    assert "3 more faces" in figure.axes[-1].get_xlabel()
    share = figure.axes[-1].collections[0].get_paths()[0].get_extents().height
    assert np.isclose(share, 0.7)
    sheet = new_figure((9, 4))
    plot_timeline(Timeline(["happy", "sad"]), sheet.add_subplot())
    assert "no face was found" in [text.get_text() for ax in sheet.subfigs[0].axes for text in ax.texts]
