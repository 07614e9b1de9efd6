"""The faces of photos: what is in them, which training faces they are near to, and which parts of them count.

    python examples/photo.py                        # the portrait that ships; seconds
    python examples/photo.py me.jpg friends.png     # your own

Asks twice: of the faces as they were taken, and turned until their eyes are level. Prints the label, the probabilities
and the nearest training faces of each, and writes an annotated copy of each photo and an occlusion map of each face.
Needs the extra ``faces``, and to turn them ``align``: pip install 'ferembed[faces,align]'.
"""

import argparse
from importlib.resources import files
from pathlib import Path

import ferembed as fe
from ferembed.evaluation.sheets import save_figure
from ferembed.explain import explain_class, plot_saliency
from ferembed.faces import FaceCropper, read_photo
from ferembed.faces.drawing import draw_faces

PORTRAIT = Path(str(files("ferembed.cli") / "portrait.jpg"))

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("photos", nargs="*", type=Path, default=[PORTRAIT])
parser.add_argument("--out", type=Path, default=Path("runs/photo"))
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)

recognizer = fe.load()
classes = recognizer.classes_.tolist()


def tell(number, face):
    """One face: its label, all its probabilities, and the training faces nearest to it."""
    print(f"  face {number}: {face.label}")
    shares = zip(classes, face.probabilities, strict=True)
    print("    " + ", ".join(f"{name} {share:.1%}" for name, share in shares))
    near = zip(face.nearest.labels, face.nearest.similarities, strict=True)
    print("    nearest: " + ", ".join(f"{name} ({cosine:.3f})" for name, cosine in near))


for path in options.photos:
    photo = read_photo(path)
    for way, cropper in {"taken": FaceCropper(), "level": FaceCropper(align=True)}.items():
        # A face that the vote is not sure enough of is "unknown": at most a fifth is to be named wrongly.
        try:
            faces = recognizer.recognize(photo, faces=cropper, max_error=0.2)
        except ImportError as error:
            print(f"{path.name}, {way}: {error}")
            continue
        print(f"{path.name}, {way}: {len(faces)} {'face' if len(faces) == 1 else 'faces'}")
        draw_faces(photo, faces, classes).save(options.out / f"{path.stem}-{way}.png")
        for number, face in enumerate(faces, 1):
            tell(number, face)
            occlusion = explain_class(recognizer, face.crop, "occlusion")
            save_figure(plot_saliency(occlusion), options.out / f"{path.stem}-{way}-{number}.png")
print(f"wrote annotated copies and occlusion maps into {options.out}")
