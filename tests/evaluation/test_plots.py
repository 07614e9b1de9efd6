"""Pictures: what they show, on axes given or new, without pyplot."""

import io
import sys

import numpy as np
import pytest

from ferembed.evaluation import (
    plot_confusion,
    plot_reliability,
    plot_risk_coverage,
    reliability_curve,
    risk_coverage_curve,
)
from ferembed.labels import FER2013_CLASSES


@pytest.fixture
def answers():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1.0, 2000)
    return confidence, rng.random(2000) < confidence**1.5


def drawings(answers):
    rng = np.random.default_rng(0)
    truth = rng.choice(FER2013_CLASSES, 500)
    said = np.where(rng.random(500) < 0.6, truth, rng.choice(FER2013_CLASSES, 500))
    curve = risk_coverage_curve(*answers)
    return {
        "confusion": lambda ax=None: plot_confusion(truth, said, FER2013_CLASSES, ax=ax),
        "reliability": lambda ax=None: plot_reliability(reliability_curve(*answers), ax=ax),
        "risk": lambda ax=None: plot_risk_coverage({"k-NN": curve, "softmax": curve}, ax=ax),
    }


@pytest.mark.parametrize("name", ["confusion", "reliability", "risk"])
def test_drawn_on_a_new_figure_or_on_given_axes(answers, name):
    from matplotlib.figure import Figure

    draw = drawings(answers)[name]
    file = io.BytesIO()
    draw().figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")
    ax = Figure().add_subplot()
    assert draw(ax) is ax
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_confusion_shows_counts_and_shares_of_each_row():
    ax = plot_confusion(["a"] * 4 + ["b"], ["a", "a", "a", "b", "b"], ["a", "b", "c"])
    shown = [text.get_text() for text in ax.texts]
    assert shown == [
        "75%",
        "3",
        "25%",
        "1",
        "0%",
        "0",
        "0%",
        "0",
        "100%",
        "1",
        "0%",
        "0",
        "0%",
        "0",
        "0%",
        "0",
        "0%",
        "0",
    ]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
    np.testing.assert_allclose(ax.images[0].get_array()[:2], [[0.75, 0.25, 0], [0, 1, 0]])


def test_reliability_bars_stand_in_their_bins(answers):
    for binning in ("width", "mass"):
        curve = reliability_curve(*answers, 10, binning)
        ax = plot_reliability(curve)
        bars, counts = ax.containers
        assert [bar.get_height() for bar in bars] == pytest.approx(curve.accuracy.tolist())
        assert sum(bar.get_height() for bar in counts) == pytest.approx(1.0)
        for bar, confidence in zip(bars, curve.confidence, strict=True):
            assert bar.get_x() - 1e-9 <= confidence <= bar.get_x() + bar.get_width() + 1e-9


def test_risk_coverage_names_its_curves_and_their_areas(answers):
    curve = risk_coverage_curve(*answers)
    legend = [text.get_text() for text in plot_risk_coverage({"k-NN": curve}).get_legend().get_texts()]
    assert legend == [f"k-NN (area {curve.aurc:.3f})"]
    assert plot_risk_coverage(curve).get_legend().get_texts()[0].get_text() == f"(area {curve.aurc:.3f})"


def test_pictures_leave_pyplot_alone(answers):
    before = "matplotlib.pyplot" in sys.modules
    for draw in drawings(answers).values():
        draw()
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="y_true has 1 rows and y_pred 2"):
        plot_confusion(["a"], ["a", "a"], ["a"])
