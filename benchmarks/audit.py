"""What the audit finds, against known truth; figures go to benchmarks/results/audit.json and audit.md.

``known DATA RUN``: make the shipped lists of FER2013, ``outliers DATA`` that of odd pictures alone, ``doubts DATA RUN``
that of doubtful labels; ``speed DATA``: time the search for copies; ``recall DATA``: insert synthetic copies and look
for them; ``precision DATA``: pairs found among drawn faces and the tiles of photographs (scikit-learn's two, and those
in ``--pictures``), of which none shows what another does, with synthetic copies and without, and how many of FER2013's
listed copies are found; ``sheets DATA``: pictures of pairs, to be judged by eye; ``labels DATA RUN``: doubted labels
against the FER+ votes; ``slips``: false labels put among those of drawn faces, ranked by us and by cleanlab, and how
many are estimated; ``scale DATA``: time, memory and recall among up to a million pictures. RUN must not have learned
from FER+.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import audit_scale
import numpy as np
from cleanlab.rank import get_label_quality_scores
from machine import describe
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from safetensors.numpy import load_file, save_file
from sklearn.datasets import load_sample_images
from sklearn.metrics import average_precision_score

import ferembed as fe
from ferembed.auditing import (
    Copies,
    LabelIssues,
    Outliers,
    audit,
    confident_joint,
    find_copies,
    find_label_issues,
    probable_mistakes,
    rank_labels,
)
from ferembed.auditing.copies.views import canvas
from ferembed.auditing.labels import out_of_fold_softmax
from ferembed.auditing.outliers import KINDS
from ferembed.data.known import FILE, copy_groups, keys_of
from ferembed.storage import atomic_path, write_json, write_text

SEED = 0
LISTED = 1000
CLEANLAB = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
FACELESS = 5
RESULTS = Path(__file__).parent / "results"

Figures = dict[str, Any]
FERPLUS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt", "unknown", "NF")


def known(data: str, run: str, out: str) -> Figures:
    """Lists of near copies, odd pictures and doubtful labels, keyed by eight bytes of each picture's SHA-1."""
    faces = fe.load_fer2013(data)
    report = audit(faces, fe.Recognizer.load(run), out=out)
    assert report.labels is not None
    doubted = report.labels.top(LISTED)
    parts = {"copies": _copies(report.copies), "outliers": _outliers(report.outliers), "labels": _labels(doubted)}
    listed = _ship(faces, parts, _of_all(doubted))
    return {**report.copies.counts(), **report.outliers.counts(), **listed, "bytes": FILE.stat().st_size,
            **_validation(faces, report.copies)}  # fmt: skip


def doubts(data: str, run: str, out: str) -> Figures:
    """The list of doubtful labels anew."""
    faces = fe.load_fer2013(data)
    found = audit(faces, fe.Recognizer.load(run), out=out).labels
    assert found is not None
    doubted = found.top(LISTED)
    return _ship(faces, {"labels": _labels(doubted)}, _of_all(doubted)) | {"bytes": FILE.stat().st_size}


def _of_all(doubted: LabelIssues) -> Figures:
    return {"labels.joint": doubted.joint, "labels.estimated": np.array(doubted.estimated)}


def _ship(faces: fe.FaceDataset, parts: dict[str, Figures], more: Figures | None = None) -> dict[str, int]:
    """Put lists into the file that ships, keyed by pixels, in place of those of the same names."""
    key_of = dict(zip(faces.ids.tolist(), keys_of(faces.hashes).tolist(), strict=True))
    columns: dict[str, NDArray[Any]] = load_file(FILE) | (more or {})
    for name, part in parts.items():
        keys = np.array([key_of[number] for number in part.pop("ids").tolist()], np.uint64)
        columns[f"{name}.keys"], first = np.unique(keys, return_index=True)
        columns |= {f"{name}.{column}": values[first] for column, values in part.items()}
    with atomic_path(FILE) as draft:
        save_file(columns, draft)
    return {f"{name}_listed": len(columns[f"{name}.keys"]) for name in parts}


def outliers(data: str, out: str) -> Figures:
    """The list of odd pictures anew, and how many of each kind at least five of FER+'s ten call no face."""
    faces = fe.load_fer2013(data)
    found, faceless = audit(faces, out=out).outliers, _votes(data, len(faces))[:, 9] >= FACELESS
    listed = _ship(faces, {"outliers": _outliers(found)})
    return {**found.counts(), **{f"{kind}_no_face": int(faceless[found.of(kind).ids].sum()) for kind in KINDS},
            "no_face": int(faceless.sum()), **listed, "bytes": FILE.stat().st_size}  # fmt: skip


def _copies(copies: Copies) -> dict[str, NDArray[Any]]:
    near = np.array([len(np.unique(copies.exact[rows])) > 1 for rows in copies.members()])
    kept = near[copies.groups]
    groups = np.unique(copies.groups[kept], return_inverse=True)[1].astype(np.uint16)
    return {"ids": copies.ids[kept], "groups": groups}


def _outliers(found: Outliers) -> dict[str, NDArray[Any]]:
    kinds = np.array([KINDS.index(kind) for kind in found.kinds], np.uint8)
    return {"ids": found.ids, "kinds": kinds, "scores": found.scores.astype(np.float32)}


def _labels(found: LabelIssues) -> dict[str, NDArray[Any]]:
    given, suggested = (
        np.array([found.classes.index(name) for name in names], np.uint8) for names in (found.given, found.suggested)
    )
    scores, confident = found.scores.astype(np.float32), found.confident.astype(np.uint8)
    return {"ids": found.ids, "given": given, "suggested": suggested, "scores": scores, "confident": confident}


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


def speed(data: str) -> Figures:
    """Time of the search for copies."""
    faces = fe.load_fer2013(data)
    load, started, cpu = os.getloadavg()[0], time.perf_counter(), time.process_time()
    copies = find_copies(faces)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {"images": len(faces), "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1),
            "load_before": round(load, 1), **copies.counts()}  # fmt: skip


def recall(data: str, inserted: int = 2000) -> Figures:
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
    paired = set(map(tuple, np.sort(copies.pairs, axis=1).tolist()))
    directly = [(row, n + place) in paired for place, row in enumerate(rows.tolist())]
    owner = np.concatenate([photo, photo[rows]])
    new = copies.pairs[(copies.pairs >= n).any(axis=1)]
    right = owner[new[:, 0]] == owner[new[:, 1]]
    return {"inserted": inserted, "recall": float(found.mean()),
            "recall_by_a_pair_of_their_own": float(np.mean(directly)), "pairs_with_inserted": len(new),
            "precision_of_these": float(right.mean()),
            "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1)}  # fmt: skip


def precision(data: str, pictures: Path | None, inserted: int = 300) -> Figures:
    """Pairs found among pictures that are no copies, and among them with copies of some."""
    rows = []
    for name, faces in {**_drawn(), **_tiles(pictures)}.items():
        rng = np.random.default_rng(SEED)
        source = rng.choice(len(faces), min(inserted, len(faces) // 4), replace=False)
        made = np.stack([changed(np.asarray(faces.images[row]), rng) for row in source])
        photo = np.concatenate([np.arange(len(faces)), source])
        pairs = photo[find_copies(_of(np.concatenate([faces.images, made]))).pairs]
        right = pairs[:, 0] == pairs[:, 1]
        rows.append({"pictures": name, "number": len(faces), "pairs, all wrong": len(find_copies(faces).pairs),
                     "copies put in": len(source), "found": len(np.unique(pairs[right, 0])),
                     "wrong pairs": int((~right).sum()), "precision": round(float(right.mean()), 4)})  # fmt: skip
    return {"rows": rows, **_listed_found(fe.load_fer2013(data))}


def _listed_found(faces: fe.FaceDataset) -> dict[str, float]:
    """Share of the listed near copies, by picture and by pair of one group, that the search puts together again."""
    listed, photo = copy_groups(faces.hashes), _photos(faces)
    rows = np.flatnonzero(listed >= 0)
    groups = np.stack([listed[rows], photo[rows]])
    whole = np.unique(listed[rows], return_counts=True)[1]
    _, place, again = np.unique(groups, axis=1, return_inverse=True, return_counts=True)
    return {
        "listed_pictures_found": round(float((again[place] > 1).mean()), 4),
        "listed_pairs_found": round(float((again * (again - 1)).sum() / (whole * (whole - 1)).sum()), 4),
    }


def _drawn() -> dict[str, fe.FaceDataset]:
    return {f"drawn faces, seed {seed}": fe.data.drawn_faces(4000, seed=seed) for seed in range(5)}


def _tiles(folder: Path | None) -> dict[str, fe.FaceDataset]:
    """Tiles of photographs, none of which overlaps another, brought to 48 x 48 pixels."""
    photographs = [Image.fromarray(picture) for picture in load_sample_images().images]
    photographs += [Image.open(path) for path in sorted(folder.iterdir())] if folder else []
    found = {}
    for side in (32, 48, 72, 120):
        tiles = [
            picture.convert("L").crop((left, top, left + side, top + side)).resize((48, 48), Image.Resampling.BICUBIC)
            for picture in photographs
            for top in range(0, picture.height - side + 1, side)
            for left in range(0, picture.width - side + 1, side)
        ]
        found[f"tiles of {len(photographs)} photographs, {side} px"] = _of(np.stack([np.asarray(t) for t in tiles]))
    return found


def _of(images: NDArray[np.uint8]) -> fe.FaceDataset:
    return fe.FaceDataset(images, np.zeros(len(images), np.int64), ("picture",))


def _photos(faces: fe.FaceDataset) -> NDArray[np.int64]:
    copies = find_copies(faces)
    group_of = dict(zip(copies.ids.tolist(), copies.groups.tolist(), strict=True))
    return np.array([group_of.get(number, len(copies) + row) for row, number in enumerate(faces.ids.tolist())])


def sheets(data: str, out: str, each: int = 50) -> Figures:
    """Sheets of near copies, the weakest and some drawn at random: first, first laid as the second, second."""
    faces, rng = fe.load_fer2013(data), np.random.default_rng(SEED)
    copies = find_copies(faces)
    drawn = rng.choice(len(copies.pairs), min(4 * each, len(copies.pairs)), replace=False)
    weakest = np.argsort(copies.detail, kind="stable")[: 2 * each]
    for name, places in (("weakest", weakest), ("random", drawn)):
        for start in range(0, len(places), each):
            _sheet(faces, copies, places[start : start + each]).save(Path(out) / f"{name}-{start // each}.png")
    bounds = (0.67, 0.75, 0.85, 0.95, 1.01)
    counts = np.histogram(copies.detail, bounds)[0].tolist()
    return {f"pairs_from_{low}": count for low, count in zip(bounds, counts, strict=False)}


def _sheet(faces: fe.FaceDataset, copies: Copies, places: NDArray[np.int64], across: int = 5) -> Image.Image:
    sheet = Image.new("L", (across * 306, -(-len(places) // across) * 112), 255)
    row_of = {number: row for row, number in enumerate(faces.ids.tolist())}
    for cell, place in enumerate(places.tolist()):
        left, top = cell % across * 306, cell // across * 112
        pair = [row_of[number] for number in copies.pairs[place].tolist()]
        first, second = (Image.fromarray(p.astype(np.uint8)) for p in canvas(faces.images[np.array(pair)]))
        laid = _laid(first, copies.shifts[place], copies.scales[place])
        for column, picture in enumerate((first, laid, second)):
            sheet.paste(picture.resize((96, 96), Image.Resampling.BICUBIC), (left + column * 98, top + 13))
        text = f"{copies.detail[place]:.3f}  {copies.pairs[place, 0]}/{copies.pairs[place, 1]}"
        ImageDraw.Draw(sheet).text((left, top), text, fill=0)
    return sheet


def _laid(picture: Image.Image, shift: NDArray[np.float32], scale: NDArray[np.float32]) -> Image.Image:
    """The picture as it lies under its copy; pixel centres lie at halves for Pillow."""
    (down, across), (tall, wide) = shift.tolist(), scale.tolist()
    matrix = (wide, 0, 24 + across - 24 * wide, 0, tall, 24 + down - 24 * tall)
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=255)


def labels(data: str, run: str, out: str) -> Figures:
    """Precision of the doubted labels where FER+'s most voted answer is not the label; ties with the label agree."""
    faces = fe.load_fer2013(data)
    found = audit(faces, fe.Recognizer.load(run), out=out).labels
    assert found is not None
    votes = _votes(data, len(faces))
    own = votes[np.arange(len(votes)), np.array([FERPLUS.index(name) for name in faces.classes])[faces.labels]]
    apart, faceless = own < votes.max(axis=1), votes[:, 8:].max(axis=1) == votes.max(axis=1)
    held = faces.splits[found.ids] == "validation"
    return {
        "doubted": len(found), "estimated_wrong": found.estimated, "base_rate": float(apart.mean()),
        **{f"precision_at_{k}": float(apart[found.ids[:k]].mean()) for k in (200, 1000, 2000)},
        "precision_at_1000_without_unknown": float(apart[found.ids[~faceless[found.ids]][:1000]].mean()),
        "precision_at_100_of_validation": float(apart[found.ids[held][:100]].mean()),
    }  # fmt: skip


def slips(out: str, seeds: int = 7) -> Figures:
    """Average precision at false labels of training faces, and their estimated number among all 2,000 faces.

    An encoder that learnt other drawn faces sees them; cleanlab's best score is the best of three on the same
    probabilities.
    """
    others = fe.data.drawn_faces(3000, seed=99)
    recognizer = fe.train("drawn", others.split("train"), others.split("validation"), Path(out) / "drawn")
    rows = []
    for seed in range(seeds):
        true = fe.data.drawn_faces(2000, seed=seed)
        embeddings = recognizer.encode(true.images)
        for share in (0.0, 0.05, 0.15, 0.3):
            faces = fe.data.drawn_faces(2000, seed=seed, label_noise=share)
            rows.append({"seed": seed, "share": share, **_ranked(faces, faces.labels != true.labels, embeddings)})
            print(rows[-1], flush=True)
    return {"rows": rows}


def _ranked(faces: fe.FaceDataset, false: NDArray[np.bool_], embeddings: NDArray[np.float32]) -> Figures:
    found, labels = find_label_issues(faces, embeddings), faces.labels
    figures = {"false": int(false.sum()), "estimated": found.estimated, "contradicted": len(found),
               "called slips": int(found.confident.sum())}  # fmt: skip
    if not false.any():
        return {**figures, "average precision": "", "cleanlab's best": ""}
    proba = out_of_fold_softmax(embeddings, labels, len(faces.classes))
    proba = out_of_fold_softmax(embeddings, labels, len(faces.classes), weights=1 - probable_mistakes(proba, labels))
    ours, _ = rank_labels(proba, labels, confident_joint(proba, labels)[0], probable_mistakes(proba, labels))
    theirs = [get_label_quality_scores(labels, proba, method=method) for method in CLEANLAB]
    return {
        **figures,
        "average precision": round(average_precision_score(false, ours), 3),
        "cleanlab's best": round(max(average_precision_score(false, -scores) for scores in theirs), 3),
    }


def _votes(data: str, n: int) -> NDArray[np.int64]:
    """FER+'s votes of the first rows, in the columns :data:`FERPLUS`."""
    with open(Path(data).with_name("fer2013new.csv"), newline="") as file:
        return np.array([[int(cell) for cell in row[2:12]] for row in list(csv.reader(file))[1 : n + 1]])


def scale(data: str, out: str, sizes: tuple[int, ...] = (32_768, 1_000_000)) -> Figures:
    """What the search for copies takes at each size."""
    rows = []
    for size in sizes:
        rows.append(audit_scale.measure(data, Path(out), size, changed))
        print(rows[-1], flush=True)
    return {"rows": rows}


def record(what: str, figures: Figures, folder: Path) -> None:
    """Put one command's figures beside those of the others, as JSON and as a page."""
    path = folder / "audit.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    results[what] = figures | {"machine": describe()}
    write_json(path, results)
    write_text(folder / "audit.md", "# The audit against known truth\n\n" + "\n".join(map(section, results.items())))


def section(named: tuple[str, Figures]) -> str:
    """A heading, the command, and tables."""
    what, figures = named
    single = [{"figure": name, "value": value} for name, value in figures.items() if name not in ("rows", "machine")]
    tables = "\n\n".join(table(rows) for rows in (figures.get("rows"), single) if rows)
    machine = figures["machine"]
    return f"## {what}\n\n`{machine['command']}` on {machine['cpus']} of {machine['processor']}\n\n{tables}\n"


def table(rows: list[Figures]) -> str:
    """Rows under the names of their columns."""
    lines = [" | ".join(map(str, row.values())) for row in rows]
    head = [" | ".join(rows[0]), "|".join("---" for _ in rows[0])]
    return "\n".join(f"| {line} |" for line in [*head, *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what",
        choices=["known", "outliers", "doubts", "speed", "recall", "sheets", "precision", "labels", "slips", "scale"],
    )
    parser.add_argument("data", nargs="?", default="data/fer2013.csv")
    parser.add_argument("run", nargs="?", default="runs/quick")
    parser.add_argument("--out", default="audit", help="folder of the audit's finished parts, and of sheets")
    parser.add_argument("--pictures", type=Path, help="a folder of photographs to cut into tiles")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of audit.json and audit.md")
    asked = parser.parse_args()
    Path(asked.out).mkdir(parents=True, exist_ok=True)
    commands: dict[str, Callable[[], Figures]] = {
        "known": lambda: known(asked.data, asked.run, asked.out),
        "outliers": lambda: outliers(asked.data, asked.out),
        "doubts": lambda: doubts(asked.data, asked.run, asked.out),
        "speed": lambda: speed(asked.data),
        "recall": lambda: recall(asked.data),
        "sheets": lambda: sheets(asked.data, asked.out),
        "precision": lambda: precision(asked.data, asked.pictures),
        "labels": lambda: labels(asked.data, asked.run, asked.out),
        "slips": lambda: slips(asked.out),
        "scale": lambda: scale(asked.data, asked.out),
    }
    figures = commands[asked.what]()
    print(figures)
    record(asked.what, figures, asked.results)


if __name__ == "__main__":
    main()
