"""The expressions of the faces in a video, frame by frame."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ferembed.faces.cropper import FaceCropper, FindFaces, FoundFace
from ferembed.probability import most_probable
from ferembed.video._ahead import Ahead
from ferembed.video.reading import Frame, Video
from ferembed.video.smoothing import Smoother
from ferembed.video.tracking import Tracker

if TYPE_CHECKING:
    from ferembed.video.reading import Source

BATCH = 8
"""Frames whose faces are encoded together."""

Box = tuple[int, int, int, int]


class Names(Protocol):
    """What a video needs of a recogniser."""

    @property
    def classes_(self) -> NDArray[np.str_]:
        """Class names, shape (c,)."""

    def predict_proba(self, images: Any, /) -> NDArray[np.float64]:
        """Probability of each class, shape (n, c), of n crops."""


class VideoFace(NamedTuple):
    """A face in one frame of a video."""

    number: int
    """The same in all frames that show it."""
    box: Box
    """Left, upper, right and lower edge in pixels."""
    score: float
    """How sure the detector is, in its own unit."""
    label: str
    """The class that is most probable after smoothing."""
    probabilities: NDArray[np.float64]
    """Of this frame alone, shape (c,)."""
    smoothed: NDArray[np.float64]
    """Smoothed over time, shape (c,); they sum to 1."""


@dataclass(frozen=True)
class VideoFrame:
    """One frame of a video and the faces in it."""

    index: int
    """0, 1, 2, ...; a camera's frames that came too fast are left out."""
    time: float
    """Seconds since the first frame."""
    pixels: NDArray[np.uint8]
    """RGB, shape (h, w, 3)."""
    faces: tuple[VideoFace, ...]
    """In the order that the detector's crops have, usually from left to right."""


def recognize_video(
    recognizer: Names,
    source: Source | Video,
    *,
    faces: FindFaces | None = None,
    every: int = 1,
    smoothing: float = 0.5,
    lost: float = 2.0,
) -> Generator[VideoFrame, None, None]:
    """The faces and expressions of a video file or a camera, one frame after another.

    Frames are decoded ahead by a second thread, and the faces of a few of them encoded together. A camera's frames are
    taken one by one, and those that come while one is worked on are left out but for the latest, so that the answer
    does not lag. What is held in memory does not grow with the video.

    Parameters
    ----------
    recognizer : Recognizer
    source : path, int or Video
        A video file, the number of a camera, or what was opened; it is closed after the last frame.
    faces : callable, optional
        Finds and crops the faces of RGB pixels; :class:`~ferembed.faces.FaceCropper` where not given.
    every : int
        Faces are looked for in each ``every``-th frame; those between keep the probabilities of the frame before, and
        boxes on the way to the next.
    smoothing : float
        Time constant of the probabilities in seconds, as for :class:`~ferembed.video.smoothing.Smoother`.
    lost : float
        Seconds for which a face that is not found keeps its number.

    Yields
    ------
    VideoFrame

    Raises
    ------
    DataError
        If the source cannot be read; at once, not with the first frame.
    ImportError
        If av is not installed.
    """
    _check(every)
    options = {"faces": faces, "every": every, "smoothing": smoothing, "lost": lost}
    video = source if isinstance(source, Video) else Video(source)
    return _streamed(recognizer, video, every, options)


def recognize_frames(
    recognizer: Names,
    frames: Iterable[Frame],
    *,
    faces: FindFaces | None = None,
    every: int = 1,
    smoothing: float = 0.5,
    lost: float = 2.0,
    batch_size: int = BATCH,
) -> Generator[VideoFrame, None, None]:
    """The faces and expressions of frames from anywhere, one after another.

    Parameters
    ----------
    recognizer, faces, smoothing, lost
        As for :func:`recognize_video`.
    frames : iterable of Frame
        Their times do not go back.
    every : int
        Faces are looked for in each ``every``-th frame; those between keep the faces of the frame before.
    batch_size : int
        Frames whose faces are encoded together, and that are taken before the first is given.

    Yields
    ------
    VideoFrame
    """
    _check(every)
    find = FaceCropper() if faces is None else faces
    naming = _Naming(recognizer, Tracker(lost), Smoother(smoothing))
    known: tuple[VideoFace, ...] = ()
    waiting = enumerate(frames)
    while batch := list(islice(waiting, batch_size)):
        found = {place: find(frame.pixels) for place, frame in batch if place % every == 0}
        shares = iter(naming.shares([face.crop for each in found.values() for face in each]))
        for place, frame in batch:
            if place in found:
                known = naming.name(found[place], list(islice(shares, len(found[place]))), frame.time)
            yield VideoFrame(frame.index, frame.time, frame.pixels, known)


class _Naming(NamedTuple):
    """What is remembered from frame to frame."""

    recognizer: Names
    tracker: Tracker
    smoother: Smoother

    def shares(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
        return self.recognizer.predict_proba(crops) if crops else np.empty((0, len(self.recognizer.classes_)))

    def name(
        self, found: Sequence[FoundFace], shares: Sequence[NDArray[np.float64]], time: float
    ) -> tuple[VideoFace, ...]:
        numbers = self.tracker.update([face.box for face in found], time)
        self.smoother.keep(self.tracker.numbers)
        smoothed = [self.smoother.update(number, share, time) for number, share in zip(numbers, shares, strict=True)]
        labels = self.recognizer.classes_[most_probable(np.array(smoothed))] if smoothed else ()
        return tuple(
            VideoFace(number, face.box, face.score, str(label), share, smooth)
            for number, face, label, share, smooth in zip(numbers, found, labels, shares, smoothed, strict=True)
        )


def _check(every: int) -> None:
    if every < 1:
        raise ValueError(f"every must be 1 (each frame) or more, not {every}.")


def _streamed(
    recognizer: Names, video: Video, every: int, options: dict[str, Any]
) -> Generator[VideoFrame, None, None]:
    size = 1 if video.live else BATCH
    with video, Ahead(video, size, latest=video.live) as frames:
        named = recognize_frames(recognizer, frames, **options, batch_size=size)
        yield from named if video.live else _gliding(named, every)


def _gliding(frames: Iterator[VideoFrame], every: int) -> Iterator[VideoFrame]:
    """The same, with boxes that go evenly from one frame in which faces were looked for to the next."""
    waiting: list[VideoFrame] = []
    for place, frame in enumerate(frames):
        if place % every == 0:
            yield from (_on_the_way(each, waiting[0], frame) for each in waiting)
            waiting = []
        waiting.append(frame)
    yield from waiting


def _on_the_way(frame: VideoFrame, before: VideoFrame, after: VideoFrame) -> VideoFrame:
    share = (frame.time - before.time) / ((after.time - before.time) or 1)
    ends = {face.number: face.box for face in after.faces}
    boxes = [
        np.array(face.box) + share * np.subtract(ends.get(face.number, face.box), face.box) for face in frame.faces
    ]
    moved = (tuple(box.round().astype(int).tolist()) for box in boxes)
    return replace(frame, faces=tuple(face._replace(box=box) for face, box in zip(frame.faces, moved, strict=True)))
