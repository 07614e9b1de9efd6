"""What a recogniser looks at: saliency of classes and of similarity, and tests of the maps themselves."""

from ferembed.explain.methods import METHODS
from ferembed.explain.saliency import Saliency, SimilaritySaliency, explain_class, explain_similarity

__all__ = ["METHODS", "Saliency", "SimilaritySaliency", "explain_class", "explain_similarity"]
