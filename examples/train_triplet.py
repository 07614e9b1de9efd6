"""Train an encoder with the triplet loss on P x K batches, semi-hard triplets first.

    python examples/train_triplet.py                     # drawn faces, about a minute
    python examples/train_triplet.py data/fer2013.csv    # FER2013

A triplet is an anchor, a positive of its class and a negative of another; the loss (Schroff et al. 2015, FaceNet) wants
the negative farther away than the positive by a margin. Batches of P classes with K images each guarantee that every
anchor has positives and negatives, whatever the classes' sizes. Cross-entropy is learnt beside it: in so short a run
triplets alone send all faces to one point and learn nothing.
"""

import sys

import ferembed as fe
from ferembed.cli.tables import metrics_table, show

source = sys.argv[1] if len(sys.argv) > 1 else "drawn"
faces = fe.load_dataset(source)
recipe = fe.Recipe.named("drawn" if source == "drawn" else "quick").override(
    {
        "losses": [{"name": "cross_entropy", "label_smoothing": 0.1}, {"name": "triplet", "miner": "semihard"}],
        "batches": {"kind": "class_balanced", "classes_per_batch": 7, "images_per_class": 18},
    }
)

recognizer = fe.train(recipe, faces.split("train"), faces.split("validation"), f"runs/triplet-{len(faces)}")
evaluation = fe.evaluate(recognizer, faces.split("validation"))
show(metrics_table(evaluation))

for name, weight in zip(recognizer.voters, recognizer.voters["vote"].weights_, strict=False):
    print(f"weight of {name} in the vote: {weight:.2f}")
