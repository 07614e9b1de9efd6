"""What the audit finds, against known truth.

``known DATA``: make the shipped lists of FER2013's copies; ``recall DATA``: insert synthetic copies and look for them;
``labels DATA RUN``: doubted labels against the FER+ votes; ``scale``: time and memory an image on drawn faces.
"""

from __future__ import annotations

import argparse
import csv
import io
import resource
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file

import ferembed as fe
from ferembed.auditing import Copies, audit, find_copies
from ferembed.auditing.stages import Stages
from ferembed.data.known import FILE, hash_bytes, keys_of
from ferembed.storage import atomic_path, write_json

SEED = 0
FERPLUS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt", "unknown", "NF")


def known(data: str) -> dict[str, object]:
    """Groups of near copies, keyed by the first eight bytes of each picture's SHA-1."""
    faces = fe.load_fer2013(data)
    copies = find_copies(faces)
    near = np.array([len(np.unique(copies.exact[rows])) > 1 for rows in copies.members()])
    kept = near[copies.groups]
    row_of = {number: row for row, number in enumerate(faces.ids.tolist())}
    keys = keys_of(hash_bytes(faces))[[row_of[number] for number in copies.ids[kept].tolist()]]
    keys, first = np.unique(keys, return_index=True)
    groups = np.unique(copies.groups[kept][first], return_inverse=True)[1].astype(np.uint16)
    with atomic_path(FILE) as draft:
        save_file({"copies.keys": keys, "copies.groups": groups}, draft)
    return {**copies.counts(), "pictures_in_file": len(keys), "groups_in_file": int(groups.max()) + 1,
            "bytes": FILE.stat().st_size, **_validation(faces, copies)}  # fmt: skip


def _validation(faces: fe.FaceDataset, copies: Copies) -> dict[str, int]:
    train = set(copies.groups[copies.splits == "train"].tolist())
    same = set(faces.split("train").pixel_hashes.tolist())
    held = faces.split("validation")
    return {
        "validation": len(held),
        "validation_exact": int(np.isin(held.pixel_hashes, list(same)).sum()),
        "validation_exact_or_near": int(np.isin(copies.groups[copies.splits == "validation"], list(train)).sum()),
    }


def changed(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One picture shifted up to 6 px, scaled 0.85 to 1.15, mirrored half the time, lit otherwise and compressed."""
    scale, (across, down) = rng.uniform(0.85, 1.15), rng.uniform(-6, 6, 2)
    source = image[:, ::-1] if rng.random() < 0.5 else image
    wide = Image.fromarray(np.pad(source, 24, mode="edge"))
    offsets = [48 - 24 / scale - across, 48 - 24 / scale - down]
    crop = wide.transform(
        (48, 48), Image.Transform.AFFINE, (1 / scale, 0, offsets[0], 0, 1 / scale, offsets[1]), Image.Resampling.BICUBIC
    )
    lit = (np.asarray(crop, float) - 128) * rng.uniform(0.8, 1.2) + 128 + rng.uniform(-30, 30)
    file = io.BytesIO()
    Image.fromarray(lit.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=int(rng.integers(40, 95)))
    return np.asarray(Image.open(file))


def recall(data: str, inserted: int = 2000) -> dict[str, object]:
    """Share of synthetic copies that end up in the group of their original; pairs of a copy with another photo."""
    rng = np.random.default_rng(SEED)
    faces = fe.load_fer2013(data).without_blank()
    photo = _photos(faces)
    rows = rng.choice(len(faces), inserted, replace=False)
    pictures = np.stack([changed(np.asarray(faces.images[row]), rng) for row in rows])
    n = len(faces)
    both = replace(
        faces,
        images=np.concatenate([faces.images, pictures]),
        labels=np.concatenate([faces.labels, faces.labels[rows]]),
        splits=np.concatenate([faces.splits, faces.splits[rows]]),
        ids=np.arange(n + inserted),
        votes=None,
    )
    started, cpu = time.perf_counter(), time.process_time()
    copies = find_copies(both)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    group = np.full(n + inserted, -1)
    group[copies.ids] = copies.groups
    found = (group[n:] >= 0) & (group[n:] == group[rows])
    owner = np.concatenate([photo, photo[rows]])
    new = copies.pairs[(copies.pairs >= n).any(axis=1)]
    right = owner[new[:, 0]] == owner[new[:, 1]]
    return {"inserted": inserted, "recall": float(found.mean()), "pairs_with_inserted": len(new),
            "precision_of_these": float(right.mean()),
            "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1)}  # fmt: skip


def _photos(faces: fe.FaceDataset) -> NDArray[np.int64]:
    copies = find_copies(faces)
    group_of = dict(zip(copies.ids.tolist(), copies.groups.tolist(), strict=True))
    return np.array([group_of.get(number, len(copies) + row) for row, number in enumerate(faces.ids.tolist())])


def labels(data: str, run: str, out: str) -> dict[str, object]:
    """Precision of the doubted labels where FER+'s most voted answer is not the label; ties with the label agree."""
    faces = fe.load_fer2013(data)
    found = audit(faces, fe.Recognizer.load(run), out=out).labels
    assert found is not None
    with open(Path(data).with_name("fer2013new.csv"), newline="") as file:
        votes = np.array([[int(cell) for cell in row[2:12]] for row in list(csv.reader(file))[1:]])[: len(faces)]
    own = votes[np.arange(len(votes)), np.array([FERPLUS.index(name) for name in faces.classes])[faces.labels]]
    apart, faceless = own < votes.max(axis=1), votes[:, 8:].max(axis=1) == votes.max(axis=1)
    held = faces.splits[found.ids] == "validation"
    return {
        "doubted": len(found), "estimated_wrong": found.estimated, "base_rate": float(apart.mean()),
        **{f"precision_at_{k}": float(apart[found.ids[:k]].mean()) for k in (200, 1000, 2000)},
        "precision_at_1000_without_unknown": float(apart[found.ids[~faceless[found.ids]][:1000]].mean()),
        "precision_at_100_of_validation": float(apart[found.ids[held][:100]].mean()),
    }  # fmt: skip


def scale(sizes: tuple[int, ...] = (25_000, 50_000, 100_000, 200_000)) -> dict[str, object]:
    """Seconds of CPU and peak memory an image of the search for copies; drawn faces, no copies among them."""
    rows = []
    for size in sizes:
        faces = fe.drawn_faces(size)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started, cpu = time.perf_counter(), time.process_time()
        copies = find_copies(faces, Stages(None, ""))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        rows.append({
            "images": size, "groups": len(copies), "seconds": round(time.perf_counter() - started, 1),
            "cpu_ms_an_image": round((time.process_time() - cpu) * 1000 / size, 2),
            "kB_an_image_above_the_data": round(grown / size, 2),
        })  # fmt: skip
        print(rows[-1], flush=True)
    return {"rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["known", "recall", "labels", "scale"])
    parser.add_argument("data", nargs="?", default="data/fer2013.csv")
    parser.add_argument("run", nargs="?", default="runs/quick")
    parser.add_argument("--out", default="audit", help="folder of the audit's finished parts (labels)")
    parser.add_argument("--json", help="write the figures to this file too")
    asked = parser.parse_args()
    figures = {
        "known": lambda: known(asked.data),
        "recall": lambda: recall(asked.data),
        "labels": lambda: labels(asked.data, asked.run, asked.out),
        "scale": scale,
    }[asked.what]()
    print(figures)
    if asked.json:
        write_json(asked.json, figures)


if __name__ == "__main__":
    main()
