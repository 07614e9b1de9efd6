"""Draw what a recogniser of drawn faces looks at: ``python docs/make_saliency_sheet.py RUN [OUT.png]``.

RUN is a run trained on drawn faces, such as ``demo/run`` after ``ferembed demo --train``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

import ferembed as fe
from ferembed.evaluation.plots.canvas import new_figure
from ferembed.evaluation.sheets import save_figure
from ferembed.explain import METHODS

SHOWN = ("happy", "surprise", "angry")


def main(run: Path, out: Path) -> None:
    """One column a face, one row a method."""
    recognizer = fe.Recognizer.load(run)
    faces = fe.drawn_faces(200, seed=7)
    rows = [int((faces.labels == faces.classes.index(name)).nonzero()[0][0]) for name in SHOWN]
    figure = new_figure((2.6 * len(rows), 1.06 * len(METHODS) + 0.1))
    for line, method in zip(figure.subplots(len(METHODS), len(rows)), METHODS, strict=True):
        saliency = fe.explain_class(recognizer, faces.subset(rows).images, method)
        for place, ax in enumerate(line):
            fe.plot_saliency(saliency, place, truth=SHOWN[place], ax=ax)
            if method != "occlusion":  # the titles are the same in every row
                ax.set_title("")
        line[0].set_ylabel(method.replace("_", "\n"), fontsize=8)
    save_figure(figure, out, dpi=96)
    Image.open(out).convert("RGB").quantize(256).save(out, optimize=True)


if __name__ == "__main__":
    here = Path(__file__).parent
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else here / "images" / "saliency.png")
