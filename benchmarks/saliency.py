"""Time saliency maps of single faces: ``python benchmarks/saliency.py RUN [--faces SOURCE] [--out FILE.json]``.

RUN is a trained run, SOURCE whatever ``load_dataset`` reads (drawn faces by default). Each method is timed on one face
and on eight, with its default parameters; for occlusion these are a patch of 8 and a stride of 2 pixels, 441 positions
at 48 x 48. The best and the middle of the rounds are kept: on a busy machine only the best means anything.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path

import torch

import ferembed as fe
from ferembed.explain import METHODS
from ferembed.storage import write_json


def seconds(method: str, recognizer: fe.Recognizer, images: object, rounds: int) -> dict[str, float]:
    """The best and the middle time of several rounds, after one that is not counted."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        fe.explain_class(recognizer, images, method)
        times.append(time.perf_counter() - start)
    return {"best": round(min(times[1:]), 4), "median": round(statistics.median(times[1:]), 4)}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--faces", default="drawn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "saliency.json")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recognizer = fe.load(arguments.run)
    images = fe.load_dataset(arguments.faces).images[:8]
    load = os.getloadavg()[0]
    figures = {
        method: {f"{count} faces": seconds(method, recognizer, images[:count], arguments.rounds) for count in (1, 8)}
        for method in METHODS
    }
    result = {
        "run": recognizer.info["recipe"]["description"],
        "gallery": len(recognizer.gallery_ids),
        "occlusion_positions": ((recognizer.encoder.image_size - 8) // 2 + 1) ** 2,
        "threads": arguments.threads,
        "load_before": round(load, 2),
        "machine": platform.machine(),
        "torch": torch.__version__,
        "seconds": figures,
    }
    print(json.dumps(result, indent=2))
    write_json(arguments.out, result)


if __name__ == "__main__":
    main()
