"""The public names, each loaded when it is first asked for."""

from . import models as models
from .auditing import AuditReport as AuditReport
from .auditing import audit as audit
from .data import (
    DataError as DataError,
)
from .data import (
    FaceDataset as FaceDataset,
)
from .data import (
    drawn_faces as drawn_faces,
)
from .data import (
    load_dataset as load_dataset,
)
from .data import (
    load_fer2013 as load_fer2013,
)
from .data import (
    load_folder as load_folder,
)
from .data import (
    load_manifest as load_manifest,
)
from .estimators import (
    CalibratedClassifier as CalibratedClassifier,
)
from .estimators import (
    KNNClassifier as KNNClassifier,
)
from .estimators import (
    SoftmaxHead as SoftmaxHead,
)
from .estimators import (
    StackingEnsemble as StackingEnsemble,
)
from .estimators import (
    VotingEnsemble as VotingEnsemble,
)
from .evaluation import Metrics as Metrics
from .evaluation import evaluate_probabilities as evaluate_probabilities
from .explain import (
    Saliency as Saliency,
)
from .explain import (
    SimilaritySaliency as SimilaritySaliency,
)
from .explain import (
    deletion_curve as deletion_curve,
)
from .explain import (
    explain_class as explain_class,
)
from .explain import (
    explain_similarity as explain_similarity,
)
from .explain import (
    insertion_curve as insertion_curve,
)
from .explain import (
    plot_saliency as plot_saliency,
)
from .explain import (
    plot_saliency_grid as plot_saliency_grid,
)
from .explain import (
    plot_similarity_saliency as plot_similarity_saliency,
)
from .explain import (
    randomisation_test as randomisation_test,
)
from .faces import FaceCropper as FaceCropper
from .models import Encoder as Encoder
from .recognizer import Face as Face
from .recognizer import Recognizer as Recognizer
from .recognizer import load as load
from .report import write_comparison as write_comparison
from .report import write_report as write_report
from .runs import (
    Comparison as Comparison,
)
from .runs import (
    Evaluation as Evaluation,
)
from .runs import (
    compare as compare,
)
from .runs import (
    evaluate as evaluate,
)
from .runs import (
    train as train,
)
from .storage import StorageError as StorageError
from .training import (
    CollapseWarning as CollapseWarning,
)
from .training import (
    Recipe as Recipe,
)
from .training import (
    RecipeError as RecipeError,
)
from .training import (
    TrainingError as TrainingError,
)
from .training import (
    recipe_names as recipe_names,
)

__version__: str
