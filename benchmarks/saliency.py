"""Time saliency maps of single faces: ``python benchmarks/saliency.py [RUN] [--faces SOURCE] [--out FILE.json]``.

RUN is a trained run or the name of a shipped recogniser (``small`` by default), SOURCE whatever ``load_dataset`` reads
(drawn faces by default). Each method is timed on one face and on eight, with its default parameters; for occlusion
these are a patch of 8 and a stride of 2 pixels, 441 positions at 48 x 48. Beside it stands what its pictures cost the
same network alone, at once and in batches of 64, in turns with it; ``occlusion_over_forward`` is against the faster.

One thread; seconds of processor time, which neighbours on a busy machine change little. Of the rounds the best is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import ferembed as fe
from ferembed.explain import METHODS
from ferembed.storage import write_json


def best(rounds: int, **works: Callable[[], object]) -> dict[str, float]:
    """The best time of each work over several rounds, in each of which they take turns; one is not counted."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            start = time.process_time()
            work()
            times[name].append(time.process_time() - start)
    return {name: round(min(each[1:]), 4) for name, each in times.items()}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", default="small")
    parser.add_argument("--faces", default="drawn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "saliency.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recognizer = fe.load(arguments.run)
    encoder = recognizer.encoder
    images = fe.load_dataset(arguments.faces, image_size=encoder.image_size).images[:8]
    positions = ((encoder.image_size - 8) // 2 + 1) ** 2
    pictures = torch.rand(positions, encoder.channels, encoder.image_size, encoder.image_size)
    load = os.getloadavg()[0]

    def explained(method: str, count: int) -> Callable[[], object]:
        return lambda: fe.explain_class(recognizer, images[:count], method)

    @torch.no_grad()
    def passed(size: int) -> list[Tensor]:
        return [encoder(part) for part in pictures.split(size)]

    figures = {
        method: {f"{count} faces": best(arguments.rounds, it=explained(method, count))["it"] for count in (1, 8)}
        for method in METHODS
    }
    against = best(
        arguments.rounds,
        occlusion=explained("occlusion", 1),
        forward_at_once=lambda: passed(positions),
        forward_in_batches_of_64=lambda: passed(64),
    )
    forward = min(against["forward_at_once"], against["forward_in_batches_of_64"])
    result = {
        "run": recognizer.info["recipe"]["description"],
        "gallery": len(recognizer.gallery_ids),
        "occlusion_positions": positions,
        "occlusion_over_forward": round(against["occlusion"] / forward, 3),
        "against": against,
        "threads": 1,
        "load_before": round(load, 2),
        "machine": platform.machine(),
        "torch": torch.__version__,
        "seconds": figures,
    }
    print(json.dumps(result, indent=2))
    write_json(arguments.out, result)


if __name__ == "__main__":
    main()
