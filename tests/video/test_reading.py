"""Videos as files and cameras give them."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from av.video.stream import VideoStream
from clips import moving, picture, write

from ferembed.data.errors import DataError
from ferembed.video import Video, is_video


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def frames_of(path):
    with Video(path) as video:
        return list(video)


@pytest.mark.parametrize(
    ("codec", "format"), [("h264", "mp4"), ("mpeg4", "mp4"), ("h264", "matroska"), ("mpeg4", "avi"), ("mjpeg", "avi")]
)
def test_frames_come_in_order_with_their_pixels_and_times(tmp_path, codec, format):
    drawn = moving(20)
    frames = frames_of(write(tmp_path / "clip", drawn, codec=codec, format=format))
    assert [frame.index for frame in frames] == list(range(20))
    assert np.allclose([frame.time for frame in frames], np.arange(20) / 30, atol=1e-3)
    for frame, pixels in zip(frames, drawn, strict=True):
        assert frame.pixels.dtype == np.uint8
        assert np.abs(frame.pixels.astype(int) - pixels).mean() < 4


def test_a_video_says_how_long_it_will_be(tmp_path):
    with Video(write(tmp_path / "clip.mp4", moving(20))) as video:
        assert (video.frames, video.rate, video.live) == (20, 30.0, False)
    with Video(write(tmp_path / "clip.mkv", moving(20), format="matroska")) as video:
        assert abs(video.frames - 20) <= 1


@pytest.mark.skipif(not hasattr(VideoStream, "set_display_rotation"), reason="this version of av writes no rotation")
@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_a_phone_s_turn_is_obeyed(tmp_path, degrees):
    drawn = [picture([(10, 10)], size=(160, 120))] * 3
    frames = frames_of(write(tmp_path / "clip.mp4", drawn, rotation=degrees))
    upright = np.rot90(drawn[0], degrees // 90)
    assert frames[0].pixels.shape == upright.shape
    assert np.abs(frames[0].pixels.astype(int) - upright).mean() < 4


def test_uneven_times_are_kept(tmp_path):
    times = np.cumsum([2.0, 0.01, 0.2, 0.04, 1.5, 0.033, 0.5])
    frames = frames_of(write(tmp_path / "clip.mp4", moving(7), times=times))
    assert np.allclose([frame.time for frame in frames], times - times[0], atol=1e-4)


@pytest.mark.parametrize(("format", "options"), [("mp4", {"movflags": "faststart"}), ("matroska", None)])
def test_of_a_file_that_was_cut_off_its_beginning_is_used(tmp_path, format, options):
    noise = np.random.default_rng(0).integers(0, 80, (90, 120, 160, 3), np.uint8)
    path = write(tmp_path / "clip", list(noise), format=format, options=options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(UserWarning, match=r"clip is damaged or cut off: \d+ frames, the last at \d\.\d s"):
        frames = frames_of(path)
    assert 20 < len(frames) < 80


def test_a_file_with_damage_in_its_middle_is_read_to_its_end(tmp_path):
    noise = np.random.default_rng(0).integers(0, 80, (90, 120, 160, 3), np.uint8)
    path = write(tmp_path / "clip.avi", list(noise), codec="mjpeg", format="avi")
    content = bytearray(path.read_bytes())
    start = content.index(b"00dc", len(content) // 2) + 8
    content[start : start + 2000] = bytes(2000)
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # decoders differ in what they conceal
        frames = frames_of(path)
    assert len(frames) >= 80
    assert frames[-1].time > 2.9


def test_what_is_no_video_is_said_in_a_sentence(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video\n" * 100)
    cut = write(tmp_path / "cut.mp4", moving(20))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (tmp_path / "empty.mp4").touch()
    for name in ("text.mp4", "cut.mp4", "empty.mp4"):
        with pytest.raises(DataError, match=rf"{name} cannot be decoded as a video"):
            Video(tmp_path / name)
    with pytest.raises(DataError, match=r"There is no video .*nowhere\.mp4"):
        Video(tmp_path / "nowhere.mp4")
    with pytest.raises(DataError, match="cannot be read"):
        Video(tmp_path)
    with pytest.raises(DataError, match="no moving pictures, only sound"):
        Video(write(tmp_path / "sound.mp4", [], sound=True))


def test_sound_that_outlasts_the_pictures_is_no_damage(tmp_path):
    path = write(tmp_path / "both.mkv", moving(5), format="matroska", sound=True)
    assert len(frames_of(path)) == 5


@pytest.mark.skipif(os.path.exists("/dev/video99"), reason="there is a hundredth camera")
def test_a_camera_that_is_not_there_is_said_in_a_sentence():
    with pytest.raises(DataError, match="There is no camera 99"):
        Video(99)


def test_a_block_that_ends_closes_the_file(tmp_path):
    path = write(tmp_path / "clip.mp4", moving(30))
    with pytest.raises(KeyError), Video(path) as video:
        for _ in video:
            raise KeyError
    open_files = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    assert not any(os.path.realpath(f"/proc/self/fd/{fd}") == str(path) for fd in open_files)


def test_without_av_the_sentence_says_what_to_install():
    code = "import sys; sys.modules['av'] = None\nimport ferembed.video\nferembed.video.Video('clip.mp4')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "needs av: pip install 'ferembed[video]'" in done.stderr


def test_to_import_the_package_loads_no_library():
    code = "import sys, ferembed.video, ferembed.faces.drawing; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"av", "dlib", "torch", "matplotlib", "scipy", "PIL"} & set(loaded)


def test_names_of_videos():
    assert is_video("a/B.MOV")
    assert not is_video("mp4")
