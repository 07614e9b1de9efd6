"""Draw one row of examples for each augmentation: ``python docs/make_augmentation_sheet.py [OUT.png]``."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from ferembed.data import drawn_faces
from ferembed.recognizer.encoding import test_views
from ferembed.training.augmentation import AugmentConfig, augment, mixup

COLUMNS = 10

CHANGES: dict[str, dict[str, object]] = {
    "flip=0.5": {"flip": 0.5},
    "affine: degrees=15": {"degrees": 15},
    "affine: scale=(0.85, 1.15)": {"scale": (0.85, 1.15)},
    "affine: translate=0.12": {"translate": 0.12},
    "random crop: crop=4": {"crop": 4},
    "colour: brightness=0.2": {"brightness": 0.2},
    "colour: contrast=0.2": {"contrast": 0.2},
    "colour: saturation=0.8": {"saturation": 0.8},
    "erasing=1": {"erasing": 1.0},
    "cutout=16": {"cutout": 16},
    "Gaussian noise: noise=0.05": {"noise": 0.05},
}


def rows() -> dict[str, np.ndarray]:
    """Examples by name, each (COLUMNS, h, w, 3) in [0, 1]."""
    faces = drawn_faces(200, seed=4)
    grey = torch.from_numpy(np.array(faces.images[:COLUMNS]))[:, None]
    tinted = (grey.expand(-1, 3, -1, -1) * torch.tensor([1.0, 0.8, 0.65])[:, None, None]).to(torch.uint8)
    seeded = torch.Generator().manual_seed
    same, off = tinted[4:5].expand(COLUMNS, -1, -1, -1), AugmentConfig.none().model_dump()
    found = {"as it is": tinted / 255}
    for name, change in CHANGES.items():
        found[name] = augment(same, AugmentConfig.model_validate({**off, **change}), seeded(0))
    found["the default"] = augment(tinted, AugmentConfig(), seeded(0))
    found["mixup=1"] = mixup(tinted / 255, torch.zeros(COLUMNS, dtype=torch.int64), 7, 1.0, seeded(0))[0]
    found["at test: ten_crop"] = test_views(tinted[4:5], "ten_crop")[0]
    found["at test: flip"] = test_views(tinted[: COLUMNS // 2], "flip").flatten(0, 1)
    return {name: images.permute(0, 2, 3, 1).numpy() for name, images in found.items()}


def main(out: Path) -> None:
    """Write the sheet."""
    sheet = rows()
    figure, axes = plt.subplots(len(sheet), COLUMNS, figsize=(COLUMNS + 1.6, 1.02 * len(sheet)))
    for line, (name, images) in zip(axes, sheet.items(), strict=True):
        for axis, image in zip(line, images, strict=True):
            axis.imshow(image, vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.tight_layout(pad=0.3)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=64, bbox_inches="tight")
    Image.open(out).convert("RGB").quantize(256).save(out, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images" / "augmentations.png")
