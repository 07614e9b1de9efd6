"""What both ensembles share: members fitted or frozen, each calibrated before it votes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from array_api_compat import array_namespace
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Bunch, get_tags
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

from ferembed.estimators.answers import (
    Labels,
    aligned,
    answers_of,
    common_classes,
    encoded,
    probabilities_of,
    spelled_as,
)
from ferembed.estimators.calibration.base import Calibration, CalibrationMethod
from ferembed.estimators.calibration.maps import calibration_from_dict, fit_calibration
from ferembed.estimators.likelihood import warn_of_little
from ferembed.estimators.meta import (
    adopt_features,
    checked_data,
    held_out,
    routed_fit_params,
    router,
    warn_of_absent,
)
from ferembed.estimators.saved import (
    classes_from_json,
    classes_to_json,
    from_plain,
    plain_parameters,
    read_state,
    write_state,
)
from ferembed.probability import Array, Codes, Floats, most_probable


class CalibratedEnsemble(ClassifierMixin, _BaseComposition):  # type: ignore[misc]
    """Members over the same ``X``, each calibrated; an heir says how their probabilities become one."""

    estimators: Sequence[tuple[str, Any]]
    calibration: CalibrationMethod | None
    cv: Any
    classes_: Labels
    estimators_: list[Any]
    calibrations_: list[Calibration]

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:
        """Fit the members that are not frozen, calibrate each, and fit how they are joined.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            What the members take. For frozen members, data that they were not fitted to.
        y : array-like of shape (n,)
            Class labels.
        sample_weight : array-like of float, shape (n,), optional
            Counts in calibrating and joining, and in fitting the members that take it.

        Raises
        ------
        ValueError
            If there is no member, two share a name, a parameter is out of range, or ``y`` holds a class that no
            frozen member knows.
        """
        members = self._members()
        X, labels, weights = checked_data(X, y, sample_weight)
        params = routed_fit_params(self, members, weights)
        held = []
        for name, member in members.items():
            with answers_of(name):
                held.append(held_out(member, X, labels, self.cv, params[name]))
        return self._fit_answers([member for member, _ in held], [answers for _, answers in held], labels, weights)

    @classmethod
    def from_answers(
        cls,
        members: Mapping[str, Any],
        answers: Sequence[Floats],
        y: Labels,
        sample_weight: Floats | None = None,
        **parameters: Any,
    ) -> Any:
        """Join fitted members by what they said of rows they were not fitted to.

        Parameters
        ----------
        members : mapping of str to classifier
            Fitted; they are kept as they are.
        answers : sequence of ndarray of float64, shape (n, c)
            Each member's probabilities of the rows, columns in the order of its own ``classes_``.
        y : ndarray, shape (n,)
            Class labels.
        sample_weight : ndarray of float64, shape (n,), optional
        **parameters
            Of the ensemble.
        """
        ensemble = cls([(name, FrozenEstimator(member)) for name, member in members.items()], **parameters)
        return ensemble._fit_answers(list(members.values()), answers, y, sample_weight)

    def predict_proba(self, X: Any) -> Floats:
        """Probabilities of the classes, float64 of shape ``(n, c)``, columns in the order of ``classes_``."""
        return self._join(self.member_probabilities(X))

    def predict(self, X: Any) -> Labels:
        """The most probable class of each row, shape ``(n,)``."""
        codes = most_probable(self.predict_proba(X))
        labels: Labels = self.classes_[codes]
        return labels

    def member_probabilities(self, X: Any) -> Floats:
        """Each member's calibrated probabilities, float64 of shape ``(m, n, c)``."""
        check_is_fitted(self)
        said = []
        for (name, _), member in zip(self.estimators, self.estimators_, strict=True):
            with answers_of(name):
                said.append(probabilities_of(member, X))
        return self._calibrated(said)

    def joined(self, answers: Sequence[Array]) -> Array:
        """Probabilities ``(n, c)`` by what the fitted members said, arrays or tensors in the order of their classes."""
        return self._join(self._calibrated(answers))

    @property
    def named_estimators_(self) -> Bunch:
        """The fitted members by name."""
        return Bunch(**{name: member for (name, _), member in zip(self.estimators, self.estimators_, strict=True)})

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of the ensemble and, with ``deep``, its members by name and theirs as ``name__parameter``."""
        params: dict[str, Any] = self._get_params("estimators", deep=deep)
        return params

    def set_params(self, **params: Any) -> Any:
        """Set parameters named as in :meth:`get_params`; a member's name replaces the member."""
        self._set_params("estimators", **params)
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """How scikit-learn's metadata routing passes ``sample_weight`` on to the members' ``fit``."""
        return router(self, dict(self.estimators))

    def save(self, path: str | Path) -> None:
        """Write calibrations and what joins the members into the folder ``path``. Members save themselves."""
        check_is_fitted(self)
        config = {
            "parameters": plain_parameters(self, without=["estimators"]),
            "members": [name for name, _ in self.estimators],
            "classes": classes_to_json(self.classes_),
            "calibrations": [calibration.to_dict() for calibration in self.calibrations_],
        }
        write_state(Path(path), type(self).__name__, config, {self._joint: getattr(self, self._joint)})

    @classmethod
    def load(cls, path: str | Path, members: Mapping[str, Any]) -> Any:
        """Read an ensemble written by :meth:`save` and join it to its fitted members, given by name.

        Raises
        ------
        StorageError
            If the folder holds no such ensemble.
        ValueError
            If a member is missing or unknown.
        """
        config, arrays = read_state(Path(path), cls.__name__)
        names = config["members"]
        if set(names) != set(members):
            raise ValueError(f"{path} joins the members {', '.join(names)}; got {', '.join(members) or 'none'}.")
        parameters = {name: from_plain(value) for name, value in config["parameters"].items()}
        ensemble = cls([(name, FrozenEstimator(members[name])) for name in names], **parameters)
        ensemble.estimators_ = [members[name] for name in names]
        ensemble.classes_ = classes_from_json(config["classes"])
        ensemble.calibrations_ = [calibration_from_dict(saved) for saved in config["calibrations"]]
        setattr(ensemble, cls._joint, arrays[cls._joint])
        for member in ensemble.estimators_:
            adopt_features(ensemble, member)
        return ensemble

    _joint: str
    """The fitted attribute that joins the members: an array."""

    def _fit_answers(
        self, members: list[Any], answers: Sequence[Floats], labels: Labels, weights: Floats | None
    ) -> Any:
        self.estimators_ = members
        own = [spelled_as(member.classes_, labels) for member in members]
        self.classes_ = common_classes(own)
        codes = encoded(labels, self.classes_)
        for (name, _), member, classes in zip(self.estimators, members, own, strict=True):
            adopt_features(self, member)
            warn_of_absent(labels, classes, f"The member {name}")
        proba = [aligned(said, classes, self.classes_) for said, classes in zip(answers, own, strict=True)]
        self.calibrations_ = [fit_calibration(self.calibration, said, codes, weights) for said in proba]
        if len(members) > 1:
            warn_of_little(f"Weighing {len(members)} members was given", len(codes), weights)
        self._fit_joint(self._calibrated(answers), codes, weights)
        return self

    @abstractmethod
    def _fit_joint(self, stack: Floats, codes: Codes, weights: Floats | None) -> None: ...

    @abstractmethod
    def _join(self, stack: Array) -> Array: ...

    def _calibrated(self, answers: Sequence[Array]) -> Array:
        said = []
        for member, calibration, proba in zip(self.estimators_, self.calibrations_, answers, strict=True):
            own = spelled_as(member.classes_, self.classes_)
            said.append(calibration.map(aligned(proba, own, self.classes_)))
        stack: Array = array_namespace(said[0]).stack(said)
        return stack

    def _members(self) -> dict[str, Any]:
        if not self.estimators:
            raise ValueError("estimators must hold at least one pair of name and classifier.")
        names = [name for name, _ in self.estimators]
        self._validate_names(names)
        return dict(self.estimators)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = [get_tags(member).input_tags for _, member in self.estimators]
        tags.input_tags.sparse = all(tag.sparse for tag in inner)
        tags.input_tags.allow_nan = all(tag.allow_nan for tag in inner)
        return tags
