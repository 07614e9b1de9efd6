"""Frames of a video file or a camera, one at a time."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ferembed.data.errors import DataError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame as Decoded
    from av.video.stream import VideoStream

    Source = str | os.PathLike[str] | int

SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv", ".mts", ".m2ts",
)  # fmt: skip
"""The file names that count as videos, in lower case."""

MISSING_END = 0.5
"""Seconds of a file's own length that may be without pictures before it is called cut off."""


@dataclass(frozen=True)
class Frame:
    """One picture of a video."""

    index: int
    """0, 1, 2, ..."""
    time: float
    """Seconds since the first frame."""
    pixels: NDArray[np.uint8]
    """RGB, upright, shape (h, w, 3)."""


def is_video(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name is that of a video.

    Examples
    --------
    >>> is_video("party.MP4"), is_video("party.jpg")
    (True, False)
    """
    return Path(path).suffix.lower() in SUFFIXES


class Video:
    """The frames of a video file or a camera, decoded when they are asked for; one pass.

    Whoever iterates holds one frame, however long the video is. The file or camera is closed where the ``with`` block
    ends. The turn that a phone notes beside its pictures is obeyed.

    Parameters
    ----------
    source : path or int
        A file that FFmpeg can decode, or the number of a camera, 0 the first.

    Attributes
    ----------
    name : str
        What a sentence about it calls it.
    live : bool
        Whether it is a camera.
    rate : float or None
        Frames a second on average, where it says so.
    frames : int
        How many there will be, by what the file says of itself; 0 where it does not.

    Raises
    ------
    DataError
        If there is no such file or camera, it is no video, or has sound alone.
    ImportError
        If av is not installed.

    Warns
    -----
    UserWarning
        If the file is damaged or ends before its time; what could be decoded is used.
    """

    def __init__(self, source: Source) -> None:
        self.live = isinstance(source, int)
        self.name = f"camera {source}" if isinstance(source, int) else os.fspath(source)
        self._container = _camera(source) if isinstance(source, int) else _file(self.name)
        try:
            self._stream = _pictures(self._container, self.name)
        except DataError:
            self.close()
            raise

    @property
    def rate(self) -> float | None:
        rate = self._stream.average_rate
        return float(rate) if rate else None

    @property
    def frames(self) -> int:
        if self.live:
            return 0
        return self._stream.frames or round((self._length() or 0) * (self.rate or 0))

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file or camera."""
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        index, first, end, damaged = 0, None, 0.0, False
        for decoded in self._decoded():
            if decoded is None:
                damaged = True
                continue
            step = 1 / (self.rate or 25)
            seconds = index * step if decoded.time is None else decoded.time
            first = seconds if first is None else first
            lasting = float(decoded.duration * (decoded.time_base or 0)) or step
            end = max(end, seconds - first + lasting)
            yield Frame(index, seconds - first, _upright(decoded))
            index += 1
        if index == 0:
            raise DataError(
                f"{self.name} has no frame that can be decoded: it is damaged, or cut off at its beginning."
            )
        length = None if self.live else self._length()
        if damaged or (length is not None and end < length - MISSING_END):
            warnings.warn(
                f"{self.name} is damaged or cut off: {index} frames, the last at {end:.1f} s, could be decoded and are "
                "used.",
                stacklevel=2,
            )

    def _decoded(self) -> Iterator[Decoded | None]:
        """Each frame, and None in the place of data that cannot be decoded."""
        import av

        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                yield from packet.decode()
            except av.error.EOFError:
                return
            except av.error.InvalidDataError:
                yield None
            except av.error.FFmpegError:  # the camera was unplugged, the disk failed: nothing follows
                yield None
                return

    def _length(self) -> float | None:
        """Seconds that the pictures last by what the file says; None where it says so of all its streams only."""
        stream, container = self._stream, self._container
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        if container.duration is not None and len(container.streams) == 1:
            return container.duration / 1e6
        return None


def _file(name: str) -> InputContainer:
    av = load_av()
    try:
        return av.open(name)  # type: ignore[no-any-return]
    except FileNotFoundError as error:
        raise DataError(f"There is no video {name}.") from error
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror}).") from error
    except av.error.FFmpegError as error:
        raise DataError(
            f"{name} cannot be decoded as a video: it is none, or it was cut off before its table of contents."
        ) from error


def _camera(number: int) -> InputContainer:
    av = load_av()
    try:
        device, format = _device(number)
        return av.open(device, format=format)  # type: ignore[no-any-return]
    except (OSError, ValueError, LookupError) as error:
        raise DataError(
            f"There is no camera {number}, or another program holds it ({getattr(error, 'strerror', error)})."
        ) from error


def _device(number: int) -> tuple[str, str]:
    """What FFmpeg calls a camera on this system, and the format that it is read by."""
    if sys.platform == "win32":
        cameras = [each for each in load_av().enumerate_input_devices("dshow") if "video" in each.media_types]
        return f"video={cameras[number].name}", "dshow"
    if sys.platform == "darwin":
        return str(number), "avfoundation"
    return f"/dev/video{number}", "v4l2"


def load_av() -> Any:
    """The library av; ImportError, with what to install, where it is absent."""
    try:
        import av
    except ImportError as error:
        raise ImportError("reading and writing videos needs av: pip install 'ferembed[video]'") from error
    return av


def _pictures(container: InputContainer, name: str) -> VideoStream:
    """The stream of moving pictures; the cover of a piece of music is none."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            stream.thread_type = "AUTO"
            return stream
    raise DataError(f"{name} has no moving pictures" + (", only sound." if container.streams.audio else "."))


def _upright(decoded: Decoded) -> NDArray[np.uint8]:
    pixels = decoded.to_ndarray(format="rgb24")
    turned = np.rot90(pixels, round(decoded.rotation / 90))
    return np.ascontiguousarray(turned, np.uint8)
