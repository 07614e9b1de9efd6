"""What is done with a whole run: train it, judge it, compare two, describe it."""

from ferembed.runs.assessment import Comparison, Evaluation, compare, evaluate
from ferembed.runs.pipeline import train

__all__ = ["Comparison", "Evaluation", "compare", "evaluate", "train"]
