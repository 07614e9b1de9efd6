"""A short video, who is in it, and what is in their faces.

    python examples/video.py                       # makes a video of the shipped portrait; half a minute
    python examples/video.py party.mp4             # your own
    python examples/video.py party.mp4 --every 3   # looks for faces in each third frame only

Writes an annotated copy, a table with a row for each face in each frame, and a picture of the probabilities over time.
In the video that it makes, the portrait wanders about, has a painted round mouth for two seconds, and meets its mirror
image. Needs the extra ``video``: pip install 'ferembed[video]'.
"""

import argparse
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

import ferembed as fe
from ferembed.video import video_file, write_video_results
from ferembed.video.timeline import minutes

RATE, SECONDS, SIZE = 25, 8, (640, 480)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("video", nargs="?", type=Path)
parser.add_argument("--every", type=int, default=1)
parser.add_argument("--out", type=Path, default=Path("runs/video"))
options = parser.parse_args()


def scene(time):
    """One frame: the portrait, its mouth painted round in seconds 2 to 4, and its mirror image from 3 to 6."""
    with Image.open(files("ferembed.cli") / "portrait.jpg") as file:
        smiling = file.convert("RGB").crop((120, 10, 340, 240))
    picture = Image.new("RGB", SIZE, (104, 122, 132))
    face = surprised(smiling) if 2 <= time < 4 else smiling
    picture.paste(face, (int(60 + 40 * np.sin(1.3 * time)), int(120 + 60 * np.sin(2 * time))))
    if 3 <= time < 6:
        picture.paste(ImageOps.mirror(smiling), (int(380 - 30 * (time - 3)), int(140 + 30 * np.cos(3 * time))))
    return np.asarray(picture)


def surprised(face):
    """The portrait with a round mouth: skin over the smile, and a dark ellipse."""
    painted, soft = face.copy(), Image.new("L", face.size)
    pen = ImageDraw.Draw(painted)
    pen.ellipse((72, 118, 136, 152), fill=(214, 164, 146))
    pen.ellipse((95, 124, 113, 148), fill=(60, 20, 25))
    ImageDraw.Draw(soft).ellipse((76, 120, 132, 151), fill=255)
    return Image.composite(painted, face, soft.filter(ImageFilter.GaussianBlur(4)))


# A video, unless one was given.
source = options.video
if source is None:
    source = options.out / "portrait.mp4"
    with video_file(source, RATE) as write:
        for place in range(RATE * SECONDS):
            write(scene(place / RATE), place / RATE)

# Its faces, frame by frame, into three files.
recognizer = fe.load()
written = {"annotate": "annotated.mp4", "csv": "faces.csv", "plot": "timeline.png"}
timeline = write_video_results(
    recognizer, source, every=options.every, **{kind: options.out / name for kind, name in written.items()}
)
print(f"{source}: {timeline.frames} frames, {len(timeline.faces)} faces")
for face in timeline.faces:
    share = face.probabilities.max()
    print(f"  face {face.number}: {minutes(face.start)} to {minutes(face.end)}, mostly {face.label} ({share:.0%})")
print(f"wrote {', '.join(written.values())} into {options.out}")
