"""A video from its file to an annotated copy, a table and a picture, in one call."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferembed.data.errors import DataError
from ferembed.progress import progress
from ferembed.video.reading import Video
from ferembed.video.recognition import Names, recognize_video
from ferembed.video.timeline import Timeline, plot_timeline
from ferembed.video.writing import annotated_video, timeline_table

if TYPE_CHECKING:
    from ferembed.video.reading import Source
    from ferembed.video.writing import Write

    PathLike = str | os.PathLike[str]


def write_video_results(
    recognizer: Names,
    source: Source,
    *,
    annotate: PathLike | None = None,
    csv: PathLike | None = None,
    plot: PathLike | None = None,
    watch: Write | None = None,
    **options: Any,
) -> Timeline:
    """Recognise a whole video and write what is asked for, frame by frame.

    Each file is whole, in its place, at the end; where the work is broken off, nothing is left of any. A camera is
    recorded until Ctrl-C, which ends it well.

    Parameters
    ----------
    recognizer : Recognizer
    source : path or int
        A video file, or the number of a camera.
    annotate : path, optional
        Where an annotated copy is written, ``.mp4``: see :func:`~ferembed.video.annotated_video`.
    csv : path, optional
        Where a row for each face in each frame is written: see :func:`~ferembed.video.timeline_table`.
    plot : path, optional
        Where the probabilities over time are drawn, ``.png``, ``.svg`` or ``.pdf``.
    watch : callable, optional
        Is given each :class:`~ferembed.video.VideoFrame` as it comes.
    **options
        ``faces``, ``every``, ``smoothing`` and ``lost``, as for :func:`~ferembed.video.recognize_video`.

    Returns
    -------
    Timeline
        The faces, when each was seen, and what was in it.

    Raises
    ------
    DataError
        If the source cannot be read, or is itself what would be written.
    ImportError
        If av is not installed.
    """
    _check_apart(source, annotate, csv, plot)
    video = Video(source)
    classes = [str(name) for name in recognizer.classes_]
    timeline = Timeline(classes)
    with video, ExitStack() as files:
        takers: list[Write] = [timeline.add] if watch is None else [timeline.add, watch]
        if annotate is not None:
            takers.append(files.enter_context(annotated_video(annotate, classes, video.rate)))
        if csv is not None:
            takers.append(files.enter_context(timeline_table(csv, classes)))
        report = files.enter_context(progress(f"Faces of {video.name}", video.frames or None))
        frames = files.enter_context(closing(recognize_video(recognizer, video, **options)))
        try:
            for done, frame in enumerate(frames, 1):
                for take in takers:
                    take(frame)
                report(done)
        except KeyboardInterrupt:
            if not video.live:
                raise
    if plot is not None:
        from ferembed.evaluation.sheets import save_figure

        save_figure(plot_timeline(timeline), plot)
    return timeline


def _check_apart(source: Source, *targets: PathLike | None) -> None:
    if isinstance(source, int):
        return
    for target in targets:
        if target is not None and Path(target).resolve() == Path(source).resolve():
            raise DataError(f"{os.fspath(target)} is the video itself: give what is written another name.")
