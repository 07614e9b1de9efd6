"""What is written while a video is recognised: an annotated copy and a table of its faces."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ferembed.faces.drawing import draw_faces
from ferembed.storage import atomic_path
from ferembed.video.reading import load_av
from ferembed.video.recognition import VideoFrame

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

    Write = Callable[[VideoFrame], None]

TICK = Fraction(1, 60000)
"""Seconds that times are rounded to: as fine as MPEG-4 has them, and exact at 24, 25, 30 and 29.97 frames a second."""

ENCODERS = {"libx264": {"preset": "superfast", "bf": "0", "crf": "20"}, "mpeg4": {"qmin": "2", "qmax": "5"}}
"""What writes pictures, the first that av brings, how fast and how well: H.264, or else MPEG-4 Part 2."""

COLUMNS = ("time", "frame", "face", "left", "upper", "right", "lower")
"""What stands in a table before the probabilities."""


@contextmanager
def video_file(
    path: str | os.PathLike[str], rate: float | None = None
) -> Iterator[Callable[[NDArray[np.uint8], float], None]]:
    """A function that takes RGB pixels and their time in seconds, and writes them to an MP4 file.

    The first picture decides the size; a side of an odd number of pixels loses one. The file is whole, in its place,
    when the block ends well; otherwise nothing is left of it.

    Parameters
    ----------
    path : path
        Ends with ``.mp4``.
    rate : float, optional
        Frames a second, about: how much each may take is reckoned by it; 30 where not given.

    Raises
    ------
    ValueError
        If the path ends otherwise, or nothing is written.
    ImportError
        If av is not installed.
    """
    if Path(path).suffix.lower() != ".mp4":
        raise ValueError(f"{os.fspath(path)} must end with .mp4: videos are written in that format alone.")
    av = load_av()
    with atomic_path(path) as draft, av.open(str(draft), "w", format="mp4") as container:
        film = _Film(container, rate or 30.0)
        yield film.write
        film.finish()


@contextmanager
def annotated_video(path: str | os.PathLike[str], classes: Sequence[str], rate: float | None = None) -> Iterator[Write]:
    """A function that takes frame after frame and writes them, with their faces drawn in, to an MP4 file.

    Frames keep their times; there is no sound. The labels and bars are of the smoothed probabilities.

    Parameters
    ----------
    path, rate
        As for :func:`video_file`; what is raised, too.
    classes : sequence of str
        The order of the probabilities.
    """
    with video_file(path, rate) as write:

        def draw(frame: VideoFrame) -> None:
            faces = [face._replace(probabilities=face.smoothed) for face in frame.faces]
            drawn = draw_faces(frame.pixels, faces, classes, [face.number for face in faces])
            write(np.asarray(drawn), frame.time)

        yield draw


class _Film:
    """A file that is being written; its stream has the size of the first picture."""

    def __init__(self, container: OutputContainer, rate: float) -> None:
        self._container, self._rate = container, rate
        self._stream: VideoStream | None = None
        self._last = -1

    def write(self, pixels: NDArray[np.uint8], time: float) -> None:
        import av

        height, width = (side - side % 2 for side in pixels.shape[:2])
        if self._stream is None:
            self._stream = self._begin(width, height)
        picture = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(pixels)[:height, :width])
        self._last = max(round(time / TICK), self._last + 1)
        picture.pts, picture.time_base = self._last, TICK
        self._container.mux(self._stream.encode(picture))

    def finish(self) -> None:
        if self._stream is None:
            raise ValueError("a video needs one frame at least.")
        self._container.mux(self._stream.encode())

    def _begin(self, width: int, height: int) -> VideoStream:
        name = next(name for name in ENCODERS if name in load_av().codecs_available)
        rate = Fraction(self._rate).limit_denominator(1001)
        stream: Any = self._container.add_stream(name, rate=rate, options=ENCODERS[name])
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = TICK
        return stream  # type: ignore[no-any-return]


@contextmanager
def timeline_table(path: str | os.PathLike[str], classes: Sequence[str]) -> Iterator[Write]:
    """A function that takes frame after frame and writes a CSV file, one row for each face in each.

    Its columns are time (in seconds), frame, face (its number), the edges of its box in pixels, the smoothed
    probability of each class, and the label. The file is whole, in its place, when the block ends well; otherwise
    nothing is left of it.
    """
    with atomic_path(path) as draft, open(draft, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*COLUMNS, *classes, "label"])

        def write(frame: VideoFrame) -> None:
            for face in frame.faces:
                shares = [f"{share:.5f}" for share in face.smoothed]
                table.writerow([f"{frame.time:.4f}", frame.index, face.number, *face.box, *shares, face.label])

        yield write
