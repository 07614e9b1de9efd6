"""The faces of a whole video: when each was seen, and what was in it, in memory that does not grow with the video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ferembed.evaluation.plots.canvas import class_colours, figure_or_place, legend_above, plain
from ferembed.probability import most_probable
from ferembed.video.recognition import VideoFrame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    Floats = NDArray[np.float64]

BINS, FACES = 800, 64
"""Points in time and faces that are kept at most."""

FINEST = 1 / 64
"""Seconds of a bin as long as the video is short."""

PANELS = 6
"""Faces that are drawn at most."""

APART = 0.5
"""Seconds between two looks at a face that leave a gap in the picture."""


class SeenFace(NamedTuple):
    """One face of a video."""

    number: int
    start: float
    """When it was first seen, in seconds."""
    end: float
    """When it was last seen, in seconds."""
    frames: int
    """In how many frames it was seen."""
    label: str
    """The class that is most probable on average."""
    probabilities: Floats
    """Mean over those frames, smoothed, shape (c,)."""


class Timeline:
    """The smoothed probabilities of each face over time, averaged in bins that grow with the video.

    Parameters
    ----------
    classes : sequence of str
        The order of the probabilities.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = [str(name) for name in classes]
        self.frames = 0
        self.left_out = 0
        self._width = FINEST
        self._faces: dict[int, _Bins] = {}

    def add(self, frame: VideoFrame) -> None:
        """Take the next frame; of very many faces those seen least are forgotten."""
        self.frames += 1
        while frame.time >= BINS * self._width:
            self._width *= 2
            for bins in self._faces.values():
                bins.halve()
        for face in frame.faces:
            bins = self._faces.setdefault(face.number, _Bins(frame.time))
            bins.add(int(frame.time / self._width), frame.time, face.smoothed)
        gone = sorted(self._faces.keys() - {face.number for face in frame.faces}, key=lambda n: self._faces[n].count)
        for number in gone[: max(0, len(self._faces) - FACES)]:
            del self._faces[number]
            self.left_out += 1

    @property
    def faces(self) -> list[SeenFace]:
        """The faces, by their numbers."""
        return [self._seen(number) for number in sorted(self._faces)]

    def probabilities(self, number: int) -> tuple[Floats, Floats]:
        """Times in seconds, shape (m,), and the probabilities of a face then, shape (m, c)."""
        sums = self._faces[number].sums()
        return sums[:, 1] / sums[:, 0], sums[:, 2:] / sums[:, :1]

    def parts(self, number: int) -> list[tuple[Floats, Floats]]:
        """The same, parted where the face was not seen for a while; each part lasts for one bin at least."""
        times, shares = self.probabilities(number)
        cuts = np.flatnonzero(np.diff(times) > max(APART, 2 * self._width)) + 1
        halves = np.array([-self._width / 2, self._width / 2])
        return [
            (part, rows) if len(part) > 1 else (part + halves, rows.repeat(2, axis=0))
            for part, rows in zip(np.split(times, cuts), np.split(shares, cuts), strict=True)
        ]

    def _seen(self, number: int) -> SeenFace:
        bins = self._faces[number]
        mean = bins.sums().sum(axis=0)[2:] / bins.count
        label = self.classes[most_probable(mean[None])[0]]
        return SeenFace(number, bins.start, bins.end, bins.count, label, mean)


class _Bins:
    """Of one face: by bin, how often it was seen, and the sums of the times and of the probabilities."""

    def __init__(self, start: float) -> None:
        self.start = self.end = start
        self.count = 0
        self._sums: dict[int, Floats] = {}

    def add(self, place: int, time: float, shares: Floats) -> None:
        self.end, self.count = time, self.count + 1
        self._sums[place] = self._sums.get(place, 0) + np.r_[1.0, time, shares]

    def halve(self) -> None:
        """Join each two bins."""
        joined: dict[int, Floats] = {}
        for place, sums in self._sums.items():
            joined[place // 2] = joined.get(place // 2, 0) + sums
        self._sums = joined

    def sums(self) -> Floats:
        return np.array([self._sums[place] for place in sorted(self._sums)])


def plot_timeline(timeline: Timeline, ax: Axes | None = None) -> Figure | SubFigure:
    """The smoothed probabilities over time, one panel for each of the faces that were seen most.

    The classes' colours lie one on the other and fill the panel while the face is seen.

    Parameters
    ----------
    timeline : Timeline
    ax : matplotlib Axes, optional
        A subplot whose place the picture takes.
    """
    faces = sorted(sorted(timeline.faces, key=lambda face: -face.frames)[:PANELS])
    figure = figure_or_place(ax, (9.0, 1.1 + 1.3 * max(1, len(faces))))
    panels = figure.subplots(max(1, len(faces)), 1, squeeze=False, sharex=True)[:, 0]
    colours = class_colours(timeline.classes)
    for panel, face in zip(panels, faces, strict=False):
        names = [plain(name, 18) for name in timeline.classes]
        for times, shares in timeline.parts(face.number):
            panel.stackplot(times, shares.T, colors=colours, labels=names, linewidth=0)
            names = [f"_{name}" for name in names]  # once in the legend
        panel.set(ylim=(0, 1), yticks=[0, 0.5, 1], ylabel=f"face {face.number}")
        panel.yaxis.set_major_formatter("{x:.0%}")
    _dress(panels, len(timeline.faces) + timeline.left_out - len(faces))
    return figure


def _dress(panels: NDArray[np.object_], others: int) -> None:
    """Legend, and the axis of time in minutes and seconds."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    more = f" ({others} more {'faces were' if others > 1 else 'face was'} seen for a shorter time)" if others else ""
    if panels[0].get_legend_handles_labels()[1]:
        legend_above(panels[0], 8)
    else:
        panels[0].text(0.5, 0.5, "no face was found", ha="center", va="center", transform=panels[0].transAxes)
        panels[0].set(yticks=[])
    panels[-1].set_xlabel(f"time, min:s{more}")
    panels[-1].xaxis.set_major_locator(MaxNLocator(8, steps=[1, 1.5, 2, 3, 5, 6, 10]))
    panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: minutes(seconds)))
    panels[-1].margins(x=0.01)


def minutes(seconds: float) -> str:
    """A time as minutes and seconds.

    Examples
    --------
    >>> minutes(75), minutes(3600), minutes(0.5)
    ('1:15', '60:00', '0:00.5')
    """
    whole, rest = divmod(round(seconds, 3), 60)
    return f"{whole:.0f}:{rest:02.0f}" if rest == int(rest) else f"{whole:.0f}:{rest:06.3f}".rstrip("0")
