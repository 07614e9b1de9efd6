"""What following faces through a video costs: ``python benchmarks/video.py``.

* Speed: the shipped portrait moves over a ground of 640 x 480, 30 frames a second, one face. The same frames, decoded
  before, go through detector and encoder alone, eight at a time; then the file through ``recognize_video``; then the
  file into an annotated copy and a table. They take turns, a stretch of the video each; the median round is kept.
* Length: a video of many minutes at 320 x 240 goes into an annotated copy, a table and a timeline. The process's
  resident memory is looked at in each frame; the most in each tenth of the video is kept, and the processor time a
  frame.

No data set is needed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from machine import describe
from numpy.typing import NDArray
from PIL import Image

import ferembed as fe
from ferembed.faces import FaceCropper, FoundFace
from ferembed.storage import write_json, write_text
from ferembed.video import Timeline, Video, annotated_video, recognize_video, timeline_table, video_file

RATE = 30
BATCH = 8
PAGE = os.sysconf("SC_PAGE_SIZE")
WORKS = ("detector and encoder alone", "recognize_video", "with annotated copy and CSV")


def moving_portrait(frames: int, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """The portrait, ever on its way and ever of another size, over a slope of greys."""
    with Image.open(files("ferembed.cli") / "portrait.jpg") as file:
        portrait = file.convert("RGB").crop((60, 0, 400, 300))
    slope = np.linspace(60, 160, size[0]).astype(np.uint8)
    ground = Image.fromarray(np.repeat(np.tile(slope, (size[1], 1))[..., None], 3, axis=2))
    for place in range(frames):
        turn = 2 * np.pi * place / 240
        zoom = size[1] / 480 * (1.1 + 0.15 * np.sin(3 * turn))
        scaled = portrait.resize((round(zoom * portrait.width), round(zoom * portrait.height)))
        picture, room = ground.copy(), np.subtract(size, scaled.size)
        picture.paste(scaled, tuple((room / 2 * (1 + 0.8 * np.array([np.sin(turn), np.sin(2 * turn)]))).astype(int)))
        yield np.asarray(picture)


def write_clip(path: Path, frames: int, size: tuple[int, int]) -> None:
    with video_file(path, RATE) as write:
        for place, pixels in enumerate(moving_portrait(frames, size)):
            write(pixels, place / RATE)


def speed(folder: Path, seconds: float, rounds: int) -> dict[str, Any]:
    recognizer, crop, classes = fe.load(), FaceCropper(), [str(name) for name in fe.load().classes_]
    clip = folder / "clip.mp4"
    write_clip(clip, round(seconds * RATE), (640, 480))
    with Video(clip) as video:
        decoded = [frame.pixels for frame in video]

    def alone() -> int:
        found = 0
        for start in range(0, len(decoded), BATCH):
            crops = [face.crop for pixels in decoded[start : start + BATCH] for face in crop(pixels)]
            found += len(crops)
            recognizer.encode(crops)
        return found

    def recognized() -> int:
        return sum(len(frame.faces) for frame in recognize_video(recognizer, clip))

    def written() -> int:
        found = 0
        with (
            annotated_video(folder / "copy.mp4", classes, RATE) as draw,
            timeline_table(folder / "f.csv", classes) as row,
        ):
            for frame in recognize_video(recognizer, clip):
                draw(frame)
                row(frame)
                found += len(frame.faces)
        return found

    works = dict(zip(WORKS, (alone, recognized, written), strict=True))
    measured = [{name: timed(work) for name, work in works.items()} for _ in range(rounds + 1)][1:]
    faces = {name: work["faces"] for name, work in measured[0].items()}
    figures = {
        name: {kind: len(decoded) / median(each[name][kind] for each in measured) for kind in ("wall", "processor")}
        for name in WORKS
    }
    over = {
        name: {
            kind: median(each[name][kind] / each[WORKS[0]][kind] for each in measured) for kind in ("wall", "processor")
        }
        for name in WORKS
    }
    return {"frames": len(decoded), "rounds": rounds, "faces": faces, "frames_per_second": figures, "over_alone": over}


def timed(work: Callable[[], int]) -> dict[str, float]:
    """Seconds by the clock, and of all the process's threads; the faces that were found."""
    wall, processor = time.perf_counter(), time.process_time()
    found = work()
    return {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor, "faces": found}


def length(folder: Path, minutes: float) -> dict[str, Any]:
    """What each tenth of a long video costs, in memory and time; a detector that knows the place does not cost."""
    recognizer, frames = fe.load(), round(minutes * 60 * RATE)
    classes = [str(name) for name in recognizer.classes_]
    write_clip(folder / "long.mp4", frames, (320, 240))
    most, timeline, spent = [0.0] * 10, Timeline(classes), [time.process_time()]

    def find(pixels: NDArray[np.uint8]) -> list[FoundFace]:
        return [FoundFace((100, 60, 200, 160), 1.0, pixels[60:160, 100:200])]

    with (
        annotated_video(folder / "copy.mp4", classes, RATE) as draw,
        timeline_table(folder / "faces.csv", classes) as row,
        closing(recognize_video(recognizer, folder / "long.mp4", faces=find, every=5)) as found,
    ):
        for frame in found:
            for take in (draw, row, timeline.add):
                take(frame)
            tenth = min(9, 10 * frame.index // frames)
            most[tenth] = max(most[tenth], int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6)
            if 10 * (frame.index + 1) // frames == len(spent):
                spent.append(time.process_time())
    return {
        "minutes": minutes,
        "frames": frames,
        "most_resident_mb": [round(each, 1) for each in most],
        "processor_ms_a_frame": [round(10_000 * each / frames, 3) for each in np.diff(spent)],
    }


def table(result: dict[str, Any]) -> str:
    machine, speed, length = result["machine"], result["speed"], result["length"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        "# Video\n",
        f"`{machine['command']}`, {machine['cpus']} cores ({machine['processor']}), {versions}. Load of the machine "
        f"meanwhile: {machine['load']:.1f}.\n",
        f"640 x 480, one face, {speed['frames']} frames, median of {speed['rounds']} rounds that take turns. Processor "
        "seconds are those of all threads together; other work on the machine changes them less.\n",
        "| | frames a second | frames a second of processor | time, against the first | of processor | faces found |",
        "|---|---|---|---|---|---|",
    ]
    for name in WORKS:
        rate, over = speed["frames_per_second"][name], speed["over_alone"][name]
        lines.append(
            f"| {name} | {rate['wall']:.1f} | {rate['processor']:.1f} | {over['wall']:.2f} | {over['processor']:.2f} "
            f"| {speed['faces'][name]} |"
        )
    lines += [
        f"\n{length['minutes']:g} minutes at 320 x 240 ({length['frames']} frames, a face in each, encoded in each "
        "fifth) into an annotated copy, a table and a timeline: what each tenth takes.\n",
        "| | " + " | ".join(f"{place}/10" for place in range(1, 11)) + " |",
        "|" + "---|" * 11,
        "| most resident memory, MB | " + " | ".join(f"{each:.0f}" for each in length["most_resident_mb"]) + " |",
        "| processor time a frame, ms | " + " | ".join(f"{each:.2f}" for each in length["processor_ms_a_frame"]) + " |",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12, help="length of the video whose speed is measured")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=10, help="length of the long video")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result: dict[str, Any] = {"length": length(Path(folder), options.minutes)}
        result["speed"] = speed(Path(folder), options.seconds, options.rounds)
    result["machine"] = describe() | {"load": os.getloadavg()[0]}
    result["machine"]["versions"] |= {name: importlib.metadata.version(name) for name in ("av", "dlib-bin")}
    write_json(options.out / "video.json", result)
    write_text(options.out / "video.md", table(result))
    print(table(result))


if __name__ == "__main__":
    main()
