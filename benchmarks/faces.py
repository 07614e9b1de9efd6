"""What finding, framing, aligning and lighting faces costs: ``python benchmarks/faces.py [small] [data/fer2013.csv]``.

FER2013 has no photos, only frames of 48 x 48 pixels around faces. So each frame of PublicTest is enlarged (bicubic) to
a side of 144, 168, 192, 216 or 240 pixels, the next side for the next frame, and surrounded by a border of a quarter
of the side that repeats its edge: a picture in which dlib's detector looks for the face. Of several boxes the surest
counts. Then:

* found: the share of pictures with a face, by upsampling and threshold; false alarms in the first thousand of these
  pictures, cut into sixteen tiles that are shuffled, and in three photos, each at nine sizes from 0.6 to 1.6 times its
  own: scikit-learn's china and flower, which show no face, and the portrait that ships, beside its face.
* framing: which margin and shift bring the boxes to most overlap (mean intersection over union) with the frame, by a
  grid with steps of 0.005, on all boxes and on two random halves.
* cutting: faces cut out again by such margins and shifts, and from the whole frame by mere zooms, against the very same
  faces as they are. Beyond the frame they show the repeated edge, where a photo would go on.
* aligning: cut with and without alignment, as they are and in pictures turned by 20 degrees, left and right in turn.
* light: the frames as they are, equalised and standardised.
* cost: milliseconds of one thread's processor time, the best of several rounds in which all take turns.

PublicTest without its blank image, k-NN and vote of the recogniser; "no copy" leaves out faces with a copy in its
gallery.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from faces_document import document, draw
from machine import describe
from numpy.typing import NDArray
from PIL import Image

import ferembed as fe
from ferembed.faces import FaceCropper, HogDetector, equalise, read_photo, standardise
from ferembed.faces.alignment import find_eyes, level, tilt
from ferembed.progress import progress
from ferembed.storage import write_json, write_text

ROOT = Path(__file__).parents[1]
PORTRAIT = ROOT / "src" / "ferembed" / "cli" / "portrait.jpg"
SIDES = (144, 168, 192, 216, 240)
UPSAMPLES = (0, 1)
THRESHOLDS = (-0.25, 0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
ZOOMED = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6)
FACE = (180 / 512, 84 / 512, 267 / 512, 171 / 512)
"""The portrait's, in shares of its sides."""

MARGINS = (-0.05, 0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
SHIFTS = (-0.1, -0.05, 0.0, 0.05)
ZOOMS = (0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25)
TURN = 20

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float64]
"""Shape (n, 4), in sides of the frame, whose own edges are 0, 0, 1 and 1; NaN where no face was found."""


class Pictures:
    """Frames (n, 48, 48) as pictures to find faces in; every second one turned left, the others right."""

    def __init__(self, frames: Pixels, degrees: float = 0) -> None:
        self.frames, self.degrees = frames, degrees

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, row: int) -> Pixels:
        side = SIDES[row % len(SIDES)]
        large = np.asarray(Image.fromarray(self.frames[row]).resize((side, side), Image.Resampling.BICUBIC))
        wide, border = np.pad(large, side // 2, mode="edge"), side // 4
        turned = level(wide, self.degrees * (-1) ** row) if self.degrees else wide
        return np.repeat(turned[border:-border, border:-border, None], 3, axis=2)

    def pixels(self, row: int, box: NDArray[np.float64]) -> list[float]:
        """A box in the pixels of its picture."""
        side = SIDES[row % len(SIDES)]
        return (box * side + side // 4).tolist()

    def found(self, detector: HogDetector) -> tuple[Boxes, NDArray[np.float64]]:
        """The surest box of each and its score, -inf where there is none."""
        boxes, scores = np.full((len(self), 4), np.nan), np.full(len(self), -np.inf)
        with progress("Finding faces", len(self)) as report:
            for row in range(len(self)):
                found, side = detector(self[row]), SIDES[row % len(SIDES)]
                if len(found.scores):
                    best = found.scores.argmax()
                    boxes[row], scores[row] = (found.boxes[best] - side // 4) / side, found.scores[best]
                report(row + 1)
        return boxes, scores

    def cut(self, boxes: Boxes, **parameters: Any) -> Iterator[Pixels]:
        """The crop of each box that is there."""
        rows = np.flatnonzero(np.isfinite(boxes[:, 0]))
        with progress("Judging crops", len(rows)) as report:
            for done, row in enumerate(rows.tolist()):
                box = self.pixels(row, boxes[row])
                yield FaceCropper(lambda _, box=box: ([box], [1.0], None), **parameters)(self[row])[0].crop
                report(done + 1)


class Judge:
    """Figures of a recogniser on faces cut in one way or another, beside the same faces as they are."""

    def __init__(self, recognizer: fe.Recognizer, faces: fe.FaceDataset) -> None:
        self.recognizer, self.faces = recognizer, faces
        self.copies = recognizer.copies_in_gallery(faces)
        self.plain = self._proba(faces.images)

    def _proba(self, images: Any) -> dict[str, NDArray[np.float64]]:
        embeddings = self.recognizer.encode(images)
        return {name: self.recognizer.voters[name].predict_proba(embeddings) for name in ("vote", "knn")}

    def __call__(self, crops: Any, rows: NDArray[np.bool_]) -> dict[str, Any]:
        """Of the faces in ``rows``, shown by ``crops``."""
        proba = self._proba(crops)
        labels, copies = self.faces.labels[rows], self.copies[rows]
        before = {name: each[rows] for name, each in self.plain.items()}
        kept = {"all": np.ones(len(labels), bool), "no_copy": ~copies}
        return {name: _figures(proba, before, labels, which) for name, which in kept.items()}


def _figures(proba: Any, before: Any, labels: Any, which: NDArray[np.bool_]) -> dict[str, float]:
    right = {name: proba[name][which].argmax(axis=1) == labels[which] for name in proba}
    was = before["vote"][which].argmax(axis=1) == labels[which]
    change = 100 * (right["vote"].astype(float) - was)
    return {
        "faces": len(was),
        "vote": 100 * right["vote"].mean(),
        "knn": 100 * right["knn"].mean(),
        "nll": -np.log(proba["vote"][which, labels[which]]).mean(),
        "change": change.mean(),
        "standard_error": change.std() / np.sqrt(len(change)),
    }


def framing(boxes: Boxes) -> dict[str, float]:
    """The margin and shift whose squares overlap most with the frame."""
    side, centre = (boxes[:, 2] - boxes[:, 0]), (boxes[:, :2] + boxes[:, 2:]) / 2
    best = {"iou": 0.0}
    for margin in np.arange(-0.1, 0.3001, 0.005):
        half = side * (0.5 + margin)
        across = np.minimum(centre[:, 0] + half, 1) - np.maximum(centre[:, 0] - half, 0)
        for shift in np.arange(-0.2, 0.1001, 0.005):
            y = centre[:, 1] + shift * side
            shared = across.clip(0) * (np.minimum(y + half, 1) - np.maximum(y - half, 0)).clip(0)
            iou = (shared / (4 * half**2 + 1 - shared)).mean()
            if iou > best["iou"]:
                best = {"margin": round(float(margin), 3), "shift": round(float(shift), 3), "iou": float(iou)}
    return best


def shuffled(frames: Pixels, rng: np.random.Generator) -> Pixels:
    tiles = frames.reshape(-1, 4, 12, 4, 12).swapaxes(2, 3).reshape(-1, 16, 12, 12)
    mixed = np.stack([tile[rng.permutation(16)] for tile in tiles]).reshape(-1, 4, 4, 12, 12)
    return mixed.swapaxes(2, 3).reshape(-1, 48, 48)


def finding(frames: Pixels, upsample: int, scores: NDArray[np.float64]) -> dict[str, Any]:
    """Shares of faces found and false alarms at each threshold."""
    detector = HogDetector(upsample=upsample, threshold=min(THRESHOLDS))
    none = Pictures(shuffled(frames[:1000], np.random.default_rng(0))).found(detector)[1]
    false = false_alarms(detector)
    return {
        str(threshold): {
            "found": 100 * float((scores >= threshold).mean()),
            "in_tiles": 100 * float((none >= threshold).mean()),
            "in_photos": int((false >= threshold).sum()),
        }
        for threshold in THRESHOLDS
    }


def false_alarms(detector: HogDetector) -> NDArray[np.float64]:
    """Scores of boxes in three photos, each at several sizes, whose middle is not in the portrait's face."""
    from sklearn.datasets import load_sample_images

    scores = []
    for photo, face in [
        (read_photo(PORTRAIT), FACE),
        *((photo, (2, 2, 2, 2)) for photo in load_sample_images().images),
    ]:
        height, width = photo.shape[:2]
        for zoom in ZOOMED:
            size = round(width * zoom), round(height * zoom)
            boxes, sureness, _ = detector(np.asarray(Image.fromarray(photo).resize(size)))
            middle = (boxes[:, :2] + boxes[:, 2:]) / 2 / size
            scores.append(sureness[~((middle > face[:2]) & (middle < face[2:])).all(axis=1)])
    return np.concatenate(scores)


def cost(recognizer: fe.Recognizer, rounds: int) -> dict[str, float]:
    """Milliseconds."""
    portrait = read_photo(PORTRAIT)
    small, large = (np.asarray(Image.fromarray(portrait).resize(size)) for size in ((640, 480), (6000, 4000)))
    box, face = HogDetector(threshold=1)(portrait).boxes[0], portrait[84:171, 180:267]
    works: dict[str, Callable[[], object]] = {
        "HOG, 640 x 480": lambda: HogDetector()(small),
        "HOG, 640 x 480, `upsample=1`": lambda: HogDetector(upsample=1)(small),
        "HOG, 640 x 480, `smallest=160`": lambda: HogDetector(smallest=160)(small),
        "HOG, 24 megapixels": lambda: HogDetector()(large),
        "HOG, 24 megapixels, `smallest=80`": lambda: HogDetector(smallest=80)(large),
        "five-point model, one face": lambda: find_eyes(portrait, box),
        "encoder, one face": lambda: recognizer.encode(face),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            start = time.process_time()
            work()
            times[name].append(1000 * (time.process_time() - start))
    return {name: min(each[1:]) for name, each in times.items()}


def measured(recognizer: fe.Recognizer, faces: fe.FaceDataset, rounds: int) -> tuple[dict[str, Any], Boxes]:
    judge, pictures = Judge(recognizer, faces), Pictures(faces.images)
    boxes, scores = {}, {}
    for upsample in UPSAMPLES:
        detector = HogDetector(upsample=upsample, threshold=min(THRESHOLDS))
        boxes[upsample], scores[upsample] = pictures.found(detector)
    result: dict[str, Any] = {"found": {str(u): finding(faces.images, u, scores[u]) for u in UPSAMPLES}}

    sure = scores[0] >= HogDetector().threshold
    held = np.where(sure[:, None], boxes[0], np.nan)
    half = np.random.default_rng(0).permutation(sure.sum()) % 2 == 0
    best = framing(held[sure])
    result["framing"] = {
        "best": best,
        "halves": [framing(held[sure][half]), framing(held[sure][~half])],
        "upsample 1": framing(boxes[1][scores[1] >= HogDetector().threshold]),
    }

    whole, every = np.tile([0.0, 0.0, 1.0, 1.0], (len(faces), 1)), np.ones(len(faces), bool)
    margin, shift = best["margin"], best["shift"]
    frame = np.where(sure[:, None], whole, np.nan)
    result["as they are"] = judge(faces.images[sure], sure)
    result["margins"] = {m: judge(pictures.cut(held, margin=m, shift=shift), sure) for m in MARGINS}
    result["shifts"] = {s: judge(pictures.cut(held, margin=margin, shift=s), sure) for s in SHIFTS}
    result["zooms"] = {z: judge(pictures.cut(frame, margin=(z - 1) / 2, shift=0), sure) for z in ZOOMS}

    result["aligning"] = {}
    for degrees in (0, TURN):
        turned = Pictures(faces.images, degrees)
        seen, score = turned.found(HogDetector())
        rows = score >= HogDetector().threshold
        tilts = [tilt(find_eyes(turned[row], turned.pixels(row, seen[row]))) for row in np.flatnonzero(rows)]
        result["aligning"][degrees] = {
            "tilt": float(np.median(np.abs(tilts))),
            "as they are": judge(faces.images[rows], rows),
            "cut": judge(turned.cut(seen), rows),
            "cut and aligned": judge(turned.cut(seen, align=True), rows),
        }
    changes = {"as they are": lambda images: images, "equalised": equalise, "standardised": standardise}
    result["light"] = {name: judge(change(faces.images), every) for name, change in changes.items()}
    result["milliseconds"] = cost(recognizer, rounds)
    return result, held


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", default="small")
    parser.add_argument("faces", nargs="?", type=Path, default=ROOT / "data" / "fer2013.csv")
    parser.add_argument("--limit", type=int, help="faces, for a trial")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "images" / "faces-framing.png")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    public = fe.load_fer2013(arguments.faces, split="validation").without_blank()
    public = public.subset(np.arange(len(public))[: arguments.limit])
    figures, boxes = measured(fe.load(arguments.run), public, arguments.rounds)
    used = {"margin": FaceCropper().margin, "shift": FaceCropper().shift, "threshold": HogDetector().threshold}
    result = {"faces": len(public), "defaults": used, **figures, "machine": describe()}
    write_json(arguments.out / "faces.json", result)
    text = document(result)
    write_text(arguments.out / "faces.md", text)
    print(text)
    draw(public.images, boxes, arguments.picture)


if __name__ == "__main__":
    main()
