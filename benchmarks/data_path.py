"""How fast batches reach the network: python benchmarks/data_path.py.

* In memory: gathering and augmenting whole batches of 48 x 48 faces, against a loop that treats one image at a time
  with Pillow, doing the same kinds of change (resampling, brightness, contrast, erasing). Taken in turn in one process.
* From files: images a second that the training loader decodes from PNG files of 48 x 48, with 0, 1 and 2 workers.

The faces are drawn: no data set is needed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from machine import describe
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

import ferembed as fe
from ferembed.data.image_files import ImageFiles
from ferembed.storage import write_json, write_text
from ferembed.training.augmentation import AugmentConfig, augment
from ferembed.training.batches import NaturalBatches
from ferembed.training.loaders import TrainingLoader

SIZES = (64, 128)
WORKERS = (0, 1, 2)
CONFIG = AugmentConfig()


def batch_at_once(images: torch.Tensor, rows: NDArray[np.int64], step: int) -> torch.Tensor:
    return augment(images[torch.from_numpy(rows)], CONFIG, torch.Generator().manual_seed(step))


def image_by_image(images: NDArray[np.uint8], rows: NDArray[np.int64], step: int) -> torch.Tensor:
    rng = np.random.default_rng(step)
    return torch.stack([change_one(Image.fromarray(images[row]), rng) for row in rows])


def change_one(image: Image.Image, rng: np.random.Generator) -> torch.Tensor:
    """The default changes, one library call each, as per-image pipelines make them."""
    side = image.width
    if rng.random() < CONFIG.flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    angle = np.deg2rad(rng.uniform(-CONFIG.degrees, CONFIG.degrees))
    zoom = rng.uniform(*CONFIG.scale)
    cos, sin, centre = np.cos(angle) / zoom, np.sin(angle) / zoom, side / 2
    across, down = rng.uniform(-CONFIG.translate, CONFIG.translate, 2) * side
    x = centre - cos * centre - sin * centre + across
    y = centre + sin * centre - cos * centre + down
    image = image.transform(
        (side, side), Image.Transform.AFFINE, (cos, sin, x, -sin, cos, y), Image.Resampling.BILINEAR
    )
    image = ImageEnhance.Brightness(image).enhance(1 + rng.uniform(-CONFIG.brightness, CONFIG.brightness))
    image = ImageEnhance.Contrast(image).enhance(1 + rng.uniform(-CONFIG.contrast, CONFIG.contrast))
    pixels = torch.from_numpy(np.array(image)).float().div_(255)[None]
    if rng.random() < CONFIG.erasing:
        area = rng.uniform(*CONFIG.erasing_area) * side**2
        aspect = np.exp(rng.uniform(np.log(0.3), np.log(3.3)))
        height, width = min(side, round((area * aspect) ** 0.5)), min(side, round((area / aspect) ** 0.5))
        top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
        pixels[:, top : top + height, left : left + width] = rng.random()
    return pixels


def in_memory(faces: fe.FaceDataset, size: int, rounds: int) -> dict[str, Any]:
    array = np.array(faces.images)
    tensor = torch.from_numpy(array)
    batches = list(NaturalBatches(faces.labels, size, seed=0))
    times: dict[str, list[float]] = {"batch": [], "images": []}
    for step in range(rounds):
        rows = batches[step % len(batches)]
        for name, change, source in (("batch", batch_at_once, tensor), ("images", image_by_image, array)):
            start = time.perf_counter()
            change(source, rows, step)  # type: ignore[operator]
            times[name].append(1000 * (time.perf_counter() - start))
    whole, single = median(times["batch"]), median(times["images"])
    return {"batch_size": size, "batch_ms": whole, "image_by_image_ms": single, "ratio": single / whole}


def from_files(folder: Path, faces: fe.FaceDataset, size: int) -> list[dict[str, Any]]:
    paths = [str(folder / f"{number}.png") for number in range(len(faces))]
    for path, image in zip(paths, faces.images, strict=True):
        Image.fromarray(image).save(path)
    files = ImageFiles(paths, image_size=48, colour=False)
    rates: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    starts: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    for _ in range(3):
        for workers in WORKERS:
            batches = iter(TrainingLoader(NaturalBatches(faces.labels, size, seed=0), files, workers))
            begin = time.perf_counter()
            next(batches)
            first = time.perf_counter()
            taken = sum(len(batch.rows) for batch in batches)
            starts[workers].append(first - begin)
            rates[workers].append(taken / (time.perf_counter() - first))
    return [{"workers": w, "images_per_second": median(rates[w]), "first_batch_s": median(starts[w])} for w in WORKERS]


def table(result: dict[str, Any]) -> str:
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        "# Data path\n",
        f"`{machine['command']}`, {machine['cpus']} cores ({machine['processor']}), one torch thread, {versions}. "
        f"Load of the machine meanwhile: {machine['load']:.1f}; a quiet machine is needed for figures to keep.\n",
        "Gathering and augmenting a batch of 48 x 48 faces, median milliseconds, taken in turn.\n",
        "| batch | whole batch | image by image | ratio |",
        "|---|---|---|---|",
    ]
    for row in result["in_memory"]:
        lines.append(
            f"| {row['batch_size']} | {row['batch_ms']:.2f} | {row['image_by_image_ms']:.1f} | {row['ratio']:.1f} |"
        )
    lines += [
        "\nDecoding PNG files of 48 x 48 in batches of 128, median of three epochs; the loader only decodes.\n",
        "| workers | images a second | first batch, s |",
        "|---|---|---|",
    ]
    lines += [
        f"| {row['workers']} | {row['images_per_second']:.0f} | {row['first_batch_s']:.3f} |" for row in result["files"]
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=5000, help="drawn faces")
    parser.add_argument("--rounds", type=int, default=60, help="batches timed of each kind")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    faces = fe.drawn_faces(options.faces, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        result = {
            "machine": describe() | {"load": os.getloadavg()[0]},
            "in_memory": [in_memory(faces, size, options.rounds) for size in SIZES],
            "files": from_files(Path(folder), faces, SIZES[-1]),
        }
    write_json(options.out / "data_path.json", result)
    write_text(options.out / "data_path.md", table(result))
    print(table(result))


if __name__ == "__main__":
    main()
