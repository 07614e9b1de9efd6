"""What a recogniser looks at: saliency of classes and of similarity, tests of the maps themselves, and pictures."""

from ferembed.explain.methods import METHODS
from ferembed.explain.plots import plot_saliency, plot_saliency_grid, plot_similarity_saliency
from ferembed.explain.saliency import Saliency, SimilaritySaliency, explain_class, explain_similarity
from ferembed.explain.sanity import PixelCurve, RandomisationTest, deletion_curve, insertion_curve, randomisation_test

__all__ = [
    "METHODS",
    "PixelCurve",
    "RandomisationTest",
    "Saliency",
    "SimilaritySaliency",
    "deletion_curve",
    "explain_class",
    "explain_similarity",
    "insertion_curve",
    "plot_saliency",
    "plot_saliency_grid",
    "plot_similarity_saliency",
    "randomisation_test",
]
