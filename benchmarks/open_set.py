"""How well a trained recogniser tells what it should not name: a held-out expression, and pictures without a face.

    python benchmarks/open_set.py small data/fer2013.csv --out benchmarks/results

Half of PublicTest picks the thresholds, the other half is the known. The strangers are

- for each expression in turn its faces of that half, asked of a k-NN whose gallery lacks that expression. The encoder
  was trained with it: this holds it out of the gallery, not out of the network;
- noise (each pixel drawn alone), textures (noise blurred and stretched to full contrast), drawn shapes (discs, boxes
  and stripes), and the known faces upside down or cut into sixteen tiles that are shuffled.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from ferembed import KNNClassifier, Recognizer, load, load_fer2013
from ferembed.estimators import OpenSet, RejectOption
from ferembed.evaluation import auroc, plot_risk_coverage, risk_coverage_curve
from ferembed.storage import atomic_path, write_json, write_text

Images = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]

SIDE = 48
STRANGERS = 1000
MAX_ERROR = 0.2
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)


def noise(rng: np.random.Generator) -> Images:
    return rng.integers(0, 256, (STRANGERS, SIDE, SIDE)).astype(np.uint8)


def textures(rng: np.random.Generator) -> Images:
    from scipy.ndimage import gaussian_filter

    rows = []
    for sigma in rng.uniform(1, 6, STRANGERS):
        blurred = gaussian_filter(rng.normal(size=(SIDE, SIDE)), sigma, mode="wrap")
        rows.append(255 * (blurred - blurred.min()) / np.ptp(blurred))
    return np.array(rows).astype(np.uint8)


def shapes(rng: np.random.Generator) -> Images:
    y, x = np.mgrid[:SIDE, :SIDE]
    images = np.empty((STRANGERS, SIDE, SIDE), np.uint8)
    for image in images:
        image[:] = rng.integers(0, 256)
        for _ in range(rng.integers(1, 5)):
            cx, cy, r = (*rng.uniform(0, SIDE, 2), rng.uniform(4, 20))
            angle = rng.uniform(0, np.pi)
            covered = [
                (x - cx) ** 2 + (y - cy) ** 2 < r**2,
                (abs(x - cx) < r) & (abs(y - cy) < r / 2),
                np.sin((x * np.cos(angle) + y * np.sin(angle)) * 6 / r) > 0,
            ][rng.integers(3)]
            image[covered] = rng.integers(0, 256)
    return images


def shuffled(faces: Images, rng: np.random.Generator) -> Images:
    tiles = faces.reshape(-1, 4, 12, 4, 12).swapaxes(2, 3).reshape(-1, 16, 12, 12)
    mixed = np.stack([face[rng.permutation(16)] for face in tiles])
    return mixed.reshape(-1, 4, 4, 12, 12).swapaxes(2, 3).reshape(-1, SIDE, SIDE)


def told(known: Floats, confidence: Floats, strange: Floats, doubt: Floats, threshold: float) -> dict[str, float]:
    """How far familiarity, and for comparison the confidence of the vote, set strangers apart."""
    return {
        "strangers": len(strange),
        "auroc_familiarity": auroc(known, strange),
        "auroc_confidence": auroc(confidence, doubt),
        "strangers_unknown": float((strange < threshold).mean()),
    }


def without(knn: KNNClassifier, code: int, embeddings: Floats, codes: NDArray[np.int64]) -> KNNClassifier:
    kept = codes != code
    return KNNClassifier(**knn.get_params()).fit(embeddings[kept], codes[kept])


def measured(recognizer: Recognizer, faces: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    public = load_fer2013(faces, split="validation").without_blank()
    rng = np.random.default_rng(0)
    half = rng.permutation(len(public)) % 2
    picking, known = public.subset(half == 0), public.subset(half == 1)
    recognizer.calibrate(picking.subset(np.arange(0, len(picking), 2)), save=False)
    thresholds = picking.subset(np.arange(1, len(picking), 2))
    fitting, asked = recognizer.encode(thresholds.images), recognizer.encode(known.images)
    knn, vote = recognizer.voters["knn"].estimator_, recognizer.voters["vote"]
    guard = OpenSet(FrozenEstimator(knn)).fit(fitting, thresholds.labels)
    proba = vote.predict_proba(asked)
    correct, confidence, familiar = proba.argmax(axis=1) == known.labels, proba.max(axis=1), guard.score_samples(asked)
    result: dict[str, Any] = {"known_called_unknown": float((guard.predict(asked) == guard.unknown_).mean())}

    curves = {"vote, known faces": risk_coverage_curve(confidence, correct)}
    non_faces = {
        "noise": noise(rng),
        "textures": textures(rng),
        "drawn shapes": shapes(rng),
        "faces upside down": known.images[:STRANGERS, ::-1],
        "faces in shuffled tiles": shuffled(known.images[:STRANGERS], rng),
    }
    result["non_faces"] = {}
    for name, images in non_faces.items():
        strange = recognizer.encode(images)
        doubt, far = vote.predict_proba(strange).max(axis=1), guard.score_samples(strange)
        result["non_faces"][name] = told(familiar, confidence, far, doubt, guard.threshold_)
        mixed = np.concatenate([correct, np.zeros(len(strange), bool)])
        curves[f"with {name}"] = risk_coverage_curve(np.concatenate([confidence, doubt]), mixed)

    gallery, names = recognizer.gallery_embeddings, recognizer.classes_.tolist()
    gallery_codes = np.array([names.index(name) for name in recognizer.gallery_labels])
    result["expressions"] = {}
    for code, name in enumerate(names):
        partial = without(knn, code, gallery, gallery_codes)
        others = thresholds.labels != code
        apart = OpenSet(FrozenEstimator(partial)).fit(fitting[others], thresholds.labels[others])
        scores, sure = apart.score_samples(asked), partial.predict_proba(asked).max(axis=1)
        inside = known.labels != code
        result["expressions"][name] = told(
            scores[inside], sure[inside], scores[~inside], sure[~inside], apart.threshold_
        )
    for risk in ("joint", "selective"):
        careful = RejectOption(FrozenEstimator(vote), MAX_ERROR, risk=risk).fit(fitting, thresholds.labels)
        answered = careful.answers(asked)
        result[f"reject_{risk}"] = {
            "max_error": MAX_ERROR,
            "answered": float(answered.mean()),
            "wrong_of_all": float((answered & ~correct).mean()),
            "wrong_of_answered": float(1 - correct[answered].mean()) if answered.any() else 0.0,
        }
    result["risk_coverage"] = {
        name: {
            "aurc": curve.aurc,
            "risk_at_coverage": {str(c): float(curve.risk[np.searchsorted(curve.coverage, c)]) for c in SHARES},
        }
        for name, curve in curves.items()
    }
    return result, curves


def table(result: dict[str, Any]) -> str:
    lines = [
        "# Open set and rejection",
        "",
        f"`{result['command']}`. The head of the script says what is known and what is strange. `OpenSet` "
        "may call 5% of the known unknown; it calls "
        f"{result['known_called_unknown']:.1%} of the other half so.",
        "",
        "| strangers | number | AUROC, distance to the gallery | AUROC, confidence | called unknown |",
        "|---|---|---|---|---|",
    ]
    for name, row in [
        *result["non_faces"].items(),
        *((f"{name}, held out of the gallery", row) for name, row in result["expressions"].items()),
    ]:
        lines.append(
            f"| {name} | {row['strangers']} | {row['auroc_familiarity']:.3f} | {row['auroc_confidence']:.3f} "
            f"| {row['strangers_unknown']:.1%} |"
        )
    lines += [
        "",
        f"`RejectOption(max_error={MAX_ERROR})` over the vote:",
        "",
        "| guarantee | answered | wrong, of all | wrong, of the answered |",
        "|---|---|---|---|",
    ]
    for risk in ("joint", "selective"):
        row = result[f"reject_{risk}"]
        lines.append(f"| {risk} | {row['answered']:.1%} | {row['wrong_of_all']:.1%} | {row['wrong_of_answered']:.1%} |")
    lines += [
        "",
        "Error among the answered where the surest are answered first by confidence; a stranger that is answered is an "
        "error. Curves: `open_set.png`.",
        "",
        "| | area | " + " | ".join(f"at {share:.0%}" for share in SHARES) + " |",
        "|---|---|" + "---|" * len(SHARES),
    ]
    for name, row in result["risk_coverage"].items():
        risks = " | ".join(f"{risk:.1%}" for risk in row["risk_at_coverage"].values())
        lines.append(f"| {name} | {row['aurc']:.3f} | {risks} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="folder of a run on FER2013, or the name of a shipped recogniser")
    parser.add_argument("faces", type=Path, help="fer2013.csv")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder for open_set.*")
    options = parser.parse_args()
    result, curves = measured(load(options.run), options.faces)
    result = {"command": f"python benchmarks/open_set.py {options.run} {options.faces}", **result}
    write_json(options.out / "open_set.json", result)
    write_text(options.out / "open_set.md", table(result))
    with atomic_path(options.out / "open_set.png") as draft:
        plot_risk_coverage(curves).figure.savefig(draft, format="png", dpi=150)
    print(table(result))


if __name__ == "__main__":
    main()
