"""Small videos of bright squares, what finds these, and what calls them by how bright they are."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from scipy import ndimage

from ferembed.faces import FoundFace

CLASSES = np.array(["sad", "happy"])
SIDE = 24
TICKS = 60000


class ByBrightness:
    """Calls a crop happy as far as it is bright."""

    classes_ = CLASSES

    def __init__(self):
        self.asked = []

    def predict_proba(self, crops):
        self.asked.append(len(crops))
        happy = np.array([crop.mean() for crop in crops]) / 255
        return np.stack([1 - happy, happy], axis=1)


def bright_squares(pixels):
    """What is brighter than a third, from left to right."""
    marked, _ = ndimage.label(pixels[..., 0] > 85)
    boxes = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(marked)]
    boxes = [box for box in boxes if box[2] - box[0] > 4 and box[3] - box[1] > 4]
    return [FoundFace(box, 1.0, pixels[box[1] : box[3], box[0] : box[2]]) for box in sorted(boxes)]


def picture(corners, size=(160, 120), grey=230):
    """Squares at these corners (x, y)."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    for x, y in corners:
        pixels[y : y + SIDE, x : x + SIDE] = grey
    return pixels


def moving(frames=45, **options):
    """One square that goes to the right."""
    return [picture([(10 + 2 * place, 40)], **options) for place in range(frames)]


def write(path, pictures, *, codec="h264", format="mp4", times=None, rotation=None, sound=False, options=None):
    """A video of these pictures, at 30 frames a second or at these times in seconds."""
    times = [place / 30 for place in range(len(pictures))] if times is None else times
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        audio = container.add_stream("aac", rate=44100) if sound else None
        stream = container.add_stream(codec, rate=30) if pictures else None
        if stream is not None:
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.codec_context.time_base = Fraction(1, TICKS)
            if rotation is not None:
                stream.set_display_rotation(rotation)
            for pixels, time in zip(pictures, times, strict=True):
                frame = av.VideoFrame.from_ndarray(pixels)
                frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        if audio is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 44100), np.float32), format="fltp", layout="mono")
            silence.sample_rate = 44100
            container.mux(audio.encode(silence))
            container.mux(audio.encode())
    return path
