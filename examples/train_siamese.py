"""Train a Siamese encoder with the contrastive loss and ask its nearest neighbours.

    python examples/train_siamese.py                     # drawn faces, about a minute
    python examples/train_siamese.py data/fer2013.csv    # FER2013

A Siamese network sees pairs: two faces go through the same encoder, and the contrastive loss (Hadsell et al. 2006)
pulls pairs of one expression together and pushes others at least a margin apart. Cross-entropy is
learnt beside it, since in so short a run pairs alone learn little; the k-NN voter reads the classes off the gallery.
"""

import sys

import ferembed as fe
from ferembed.cli.tables import metrics_table, show

source = sys.argv[1] if len(sys.argv) > 1 else "drawn"
faces = fe.load_dataset(source)
recipe = fe.Recipe.named("drawn" if source == "drawn" else "quick").override(
    {
        "losses": [{"name": "cross_entropy", "label_smoothing": 0.1}, {"name": "contrastive"}],
        "batches": {"kind": "pairs", "size": 128, "positive_share": 0.5},
    }
)

recognizer = fe.train(recipe, faces.split("train"), faces.split("validation"), f"runs/siamese-{len(faces)}")
show(metrics_table(fe.evaluate(recognizer, faces.split("validation"))))

query = faces.split("validation").subset([0])
print("query:", query.classes[query.labels[0]], " predicted:", recognizer.predict(query.images)[0])
for similarity, label, row in zip(*(column[0] for column in recognizer.neighbors(query.images, k=5)), strict=True):
    print(f"  training row {row:5d}  {label:10s} cosine {similarity:.3f}")
