"""Faces in moving pictures: tracked, named, smoothed over time, drawn and plotted."""

from ferembed.video.reading import Frame, Video, is_video
from ferembed.video.recognition import VideoFace, VideoFrame, recognize_frames, recognize_video
from ferembed.video.smoothing import Smoother
from ferembed.video.tracking import Tracker

__all__ = [
    "Frame",
    "Smoother",
    "Tracker",
    "Video",
    "VideoFace",
    "VideoFrame",
    "is_video",
    "recognize_frames",
    "recognize_video",
]
