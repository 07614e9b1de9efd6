"""Faces in moving pictures: tracked, named, smoothed over time, drawn and plotted."""

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
