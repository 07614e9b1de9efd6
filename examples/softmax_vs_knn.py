"""One encoder, two ways to read it: the network's softmax head, and the votes of the nearest training faces.

    python examples/softmax_vs_knn.py                     # drawn faces, about a minute
    python examples/softmax_vs_knn.py data/fer2013.csv    # FER2013

Prints both with their vote, and writes confusion matrices and reliability diagrams beside the run.
"""

import sys
from pathlib import Path

import ferembed as fe
from ferembed.cli.tables import metrics_table, show
from ferembed.evaluation import plot_confusion, plot_reliability, reliability_curve
from ferembed.evaluation.sheets import save_figure

source = sys.argv[1] if len(sys.argv) > 1 else "drawn"
faces = fe.load_dataset(source)
recipe = fe.Recipe.named("drawn" if source == "drawn" else "quick")
out = Path(f"runs/softmax-vs-knn-{len(faces)}")

recognizer = fe.train(recipe, faces.split("train"), faces.split("validation"), out)
validation = faces.split("validation")
show(metrics_table(fe.evaluate(recognizer, validation)))

embeddings = recognizer.encode(validation.images)
names = recognizer.classes_
for voter_name, voter in recognizer.voters.items():
    probabilities = voter.predict_proba(embeddings)
    answers = probabilities.argmax(axis=1)
    confusion = plot_confusion(names[validation.labels], names[answers], names.tolist())
    save_figure(confusion, out / f"{voter_name}-confusion.png")
    reliability = plot_reliability(reliability_curve(probabilities.max(axis=1), answers == validation.labels))
    save_figure(reliability, out / f"{voter_name}-reliability.png")

softmax, knn = (recognizer.voters[name].predict(embeddings) for name in ("softmax", "knn"))
differ = softmax != knn
print(f"the two disagree on {differ.mean():.1%} of {len(validation)} faces; where they do,")
print(f"  softmax is right on {(softmax[differ] == validation.labels[differ]).mean():.1%}")
print(f"  k-NN    is right on {(knn[differ] == validation.labels[differ]).mean():.1%}")
