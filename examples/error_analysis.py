"""Where five models and their ensemble go wrong, and what the models look at where they differ.

    python examples/error_analysis.py                     # drawn faces, a minute or two
    python examples/error_analysis.py data/fer2013.csv    # FER2013; about ten minutes a model

Trains five small networks, joins them in a calibrated vote, draws their six confusion matrices side by side, and finds
the three classes that the models recognise most unequally. Of each it draws faces on which they disagree, with the
pixels that speak for it in each model. On FER2013 one half of PublicTest calibrates and the other half is judged.
"""

import argparse
from pathlib import Path

import numpy as np

import ferembed as fe
from ferembed.estimators import FunctionMember
from ferembed.evaluation.plots import plot_confusion
from ferembed.evaluation.plots.canvas import new_figure
from ferembed.evaluation.sheets import save_figure

NARROW = {"channels": [16, 32, 64, 128]}
BACKBONES = {
    "ResNet10": {"backbone": "resnet10t", "backbone_args": NARROW},
    "ResNet14": {"backbone": "resnet14t", "backbone_args": NARROW},
    "ResNet18": {"backbone": "resnet18d", "backbone_args": NARROW},
    "SE-ResNet10": {"backbone": "resnet10t", "backbone_args": {**NARROW, "block_args": {"attn_layer": "se"}}},
    "half ResNet10": {"backbone": "resnet10t", "backbone_args": {"channels": [8, 16, 32, 64]}},
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("source", nargs="?", default="drawn")
parser.add_argument("--out", type=Path)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--drawn", type=int, default=2000, help="how many faces to draw")
parser.add_argument("--models", nargs="+", choices=BACKBONES, default=list(BACKBONES))
options = parser.parse_args()

if options.source == "drawn":
    faces = fe.load_dataset("drawn", n=options.drawn)
    validation, judged = faces.split("validation"), faces.split("test")
else:
    faces = fe.load_dataset(options.source)
    public = faces.split("validation")
    validation, judged = (public.subset(np.arange(start, len(public), 2)) for start in (0, 1))
out = options.out or Path(f"runs/error-analysis-{len(faces)}")

# Five models and their vote.
models = {}
for name in options.models:
    recipe = fe.Recipe.named("drawn" if options.source == "drawn" else "quick").override(
        {"epochs": options.epochs, "encoder": {"embedding_dim": 64, "stem": "small-stride", **BACKBONES[name]}}
    )
    models[name] = fe.train(recipe, faces.split("train"), validation, out / name)
classes = list(faces.classes)
members = [(name, FunctionMember(model.predict_proba, model.classes_)) for name, model in models.items()]
ensemble = fe.VotingEnsemble(members).fit(validation.images, np.array(classes)[validation.labels])

# Their mistakes, side by side.
truth = np.array(classes)[judged.labels]
answers = {name: model.predict(judged.images) for name, model in models.items()}
answers["ensemble"] = ensemble.predict(judged.images)
columns = (len(answers) + 1) // 2
figure = new_figure((6.2 * columns, 13.0))
for ax, (name, answer) in zip(figure.subplots(2, columns).flat, answers.items(), strict=False):
    plot_confusion(truth, answer, classes, ax=ax)
    ax.set_title(f"{name}: {(answer == truth).mean():.1%} right")
save_figure(figure, out / "confusion.png")

# The classes on which they differ most.
recall = {name: [(answer[truth == label] == label).mean() for label in classes] for name, answer in answers.items()}
print(f"{'recall':14s}" + "".join(f"{label:>10s}" for label in classes) + f"{'accuracy':>10s}")
for name, shares in recall.items():
    accuracy = (answers[name] == truth).mean()
    print(f"{name:14s}" + "".join(f"{share:10.0%}" for share in shares) + f"{accuracy:10.1%}")
spread = np.ptp([recall[name] for name in models], axis=0)
disputed = [classes[code] for code in np.argsort(-spread, kind="stable")[:3]]
apart = ", ".join(f"{label} ({spread[classes.index(label)]:.0%})" for label in disputed)
print(f"the models differ most on these classes, by how far their recalls lie apart: {apart}")

# What each of them looks at in two faces of each, as divided about as can be.
votes_right = np.sum([answers[name] == truth for name in models], axis=0)
unity = np.abs(votes_right - len(models) / 2)
rows = {label: np.flatnonzero(truth == label) for label in disputed}
shown = np.concatenate([each[np.argsort(unity[each], kind="stable")[:2]] for each in rows.values()])
targets = truth[shown].tolist()
figure = new_figure((2.9 * len(models), 1.25 * len(shown) + 0.3))
grid = figure.subplots(len(shown), len(models), squeeze=False)
for column, (name, model) in zip(grid.T, models.items(), strict=True):
    saliency = fe.explain_class(model, judged.subset(shown).images, target=targets)
    for row, ax in enumerate(column):
        fe.plot_saliency(saliency, row, truth=targets[row], ax=ax)
    column[0].set_title(f"{name}\n{column[0].get_title()}", fontsize=8)
save_figure(figure, out / "saliency.png")
print(f"wrote {out / 'confusion.png'} and {out / 'saliency.png'}")
