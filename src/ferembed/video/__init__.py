"""Faces in moving pictures: tracked, named, smoothed over time, drawn and plotted."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from ferembed.video.reading import Frame, Video, is_video
    from ferembed.video.recognition import VideoFace, VideoFrame, recognize_frames, recognize_video
    from ferembed.video.results import write_video_results
    from ferembed.video.smoothing import Smoother
    from ferembed.video.timeline import SeenFace, Timeline, plot_timeline
    from ferembed.video.tracking import Tracker
    from ferembed.video.writing import annotated_video, timeline_table, video_file

__all__ = [
    "Frame",
    "SeenFace",
    "Smoother",
    "Timeline",
    "Tracker",
    "Video",
    "VideoFace",
    "VideoFrame",
    "annotated_video",
    "is_video",
    "plot_timeline",
    "recognize_frames",
    "recognize_video",
    "timeline_table",
    "video_file",
    "write_video_results",
]

# Each is loaded when it is first asked for: who looks at photos alone does without the plots.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "reading": ["Frame", "Video", "is_video"],
        "recognition": ["VideoFace", "VideoFrame", "recognize_frames", "recognize_video"],
        "results": ["write_video_results"],
        "smoothing": ["Smoother"],
        "timeline": ["SeenFace", "Timeline", "plot_timeline"],
        "tracking": ["Tracker"],
        "writing": ["annotated_video", "timeline_table", "video_file"],
    },
)
