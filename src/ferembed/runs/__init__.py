"""What is done with a whole run: train it, judge it, compare two, describe it."""

from typing import TYPE_CHECKING

import lazy_loader

from ferembed.runs.assessment import Comparison, Evaluation, compare, evaluate

if TYPE_CHECKING:
    from ferembed.runs.pipeline import train

__all__ = ["Comparison", "Evaluation", "compare", "evaluate", "train"]

# Training is loaded when it is first asked for: whoever judges by ONNX Runtime does without PyTorch.
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs={"pipeline": ["train"]})
