"""Pictures of maps: what they hold, and that files come out of them."""

from dataclasses import replace

import numpy as np
import pytest
from known_evidence import spot_faces, spot_recognizer
from matplotlib.figure import Figure
from PIL import Image

from ferembed import explain_class, explain_similarity, plot_saliency, plot_saliency_grid, plot_similarity_saliency
from ferembed.evaluation.sheets import save_figure


@pytest.fixture(scope="module")
def saliency():
    return explain_class(spot_recognizer(), spot_faces([(4, 30), (33, 9)]), "gradient")


def test_face_map_and_superposition(saliency):
    ax = plot_saliency(saliency, 1, truth="spot")
    face, heat, both = (image.get_array() for image in ax.images)
    np.testing.assert_allclose(face, np.repeat(saliency.images[1][..., None], 3, axis=2))
    lightness = heat.sum(axis=2)
    assert lightness[33:41, 9:17].min() > lightness[:30].max()
    difference = np.abs(both - face).sum(axis=2)
    assert difference[33:41, 9:17].min() > difference[:30].max()
    assert [image.get_extent()[0] for image in ax.images] == pytest.approx([0, 1.08, 2.16])


def test_titles_name_prediction_truth_and_other_targets(saliency):
    right, wrong = plot_saliency(saliency, truth="spot"), plot_saliency(saliency, truth="plain")
    sure = f"{saliency.probability[0]:.0%}"
    assert plot_saliency(saliency).get_title() == f"spot {sure}"
    assert right.get_title() == f"spot {sure} · true: spot"
    assert wrong.get_title() == f"✗ spot {sure} · true: plain"
    assert right.title.get_color() != wrong.title.get_color()
    other = explain_class(spot_recognizer(), saliency.images, "gradient", target="plain")
    assert plot_saliency(other).get_title() == f"spot; map of plain {1 - saliency.probability[0]:.0%}"


def test_colour_faces_are_shown_in_colour():
    saliency = explain_class(spot_recognizer(3), spot_faces([(4, 30)], 3), "gradient")
    np.testing.assert_allclose(plot_saliency(saliency).images[0].get_array(), saliency.images[0])


def test_given_axes_and_figures_are_drawn_on(saliency, small, drawn):
    ax = Figure().add_subplot()
    assert plot_saliency(saliency, ax=ax) is ax
    pairs = explain_similarity(spot_recognizer(), saliency.images[:1], saliency.images[1:], "gradient")
    other = Figure().add_subplot()
    assert plot_similarity_saliency(pairs, ax=other) is other
    assert len(other.images) == 6
    assert f"{pairs.similarity[0]:.3f}" in other.get_title()
    figure = Figure()
    grid = plot_saliency_grid(small, drawn.split("test"), "gradient", ax=figure.subplots(1, 2)[1])
    assert grid.get_figure(root=True) is figure
    assert sum(bool(each.images) for each in figure.axes) > 4


def test_signed_values_have_colours_of_either_side_of_white(saliency):
    raw = np.zeros((2, 48, 48), np.float32)
    raw[1, :8], raw[1, -8:] = 0.02, -0.01
    signed = replace(saliency, raw=raw)
    heat = plot_saliency(signed, 1, signed=True).images[1].get_array()
    most, least, none = heat[0, 0], heat[-1, 0], heat[24, 24]
    np.testing.assert_allclose(none, 0.97, atol=0.01)  # white
    assert most[2] > most[1]  # violet
    assert least[0] > least[2]  # orange
    assert np.abs(most - none).sum() > 1.5 * np.abs(least - none).sum()


def test_an_empty_map_is_explained(saliency):
    blank = replace(saliency, method="gradcam", maps=0 * saliency.maps)
    ax = plot_saliency(blank)
    assert len(ax.images) == 1
    assert "nothing that the layer sees raises the score" in " ".join(ax.texts[0].get_text().split())
    pairs = explain_similarity(spot_recognizer(), saliency.images[:1], saliency.images[1:], "gradcam")
    ax = plot_similarity_saliency(replace(pairs, maps_b=0 * pairs.maps_b))
    assert len(ax.images) == 4
    assert len(ax.texts) == 1


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_grid_of_right_and_wrong_cases_of_each_model(small, drawn, tmp_path, ending):
    test = drawn.split("test")
    models = {"one": small, "another": small}
    figure = plot_saliency_grid(models, test, "gradient", voter="softmax", columns=3)
    save_figure(figure, tmp_path / f"grid.{ending}")
    lines = [ax for ax in figure.axes if ax.images]
    titles = [ax.get_title() for ax in lines]
    proba = small.voters["softmax"].predict_proba(small.encode(test.images))
    right = proba.argmax(axis=1) == test.labels
    surest = np.flatnonzero(right)[proba.max(axis=1)[right].argmax()]
    name = test.classes[test.labels[surest]]
    assert titles[0] == f"{name} {proba[surest].max():.0%} · true: {name}"
    assert [title.startswith("✗") for title in titles] == [False] * 3 + [True] * 3 + [False] * 3 + [True] * 3
    assert len({title.split("true: ")[1] for title in titles[:3]}) == 3
    assert [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()][:2] == ["one\nright", "one\nwrong"]
    if ending == "png":
        assert Image.open(tmp_path / "grid.png").size[0] > 800
    else:
        assert "<svg" in (tmp_path / "grid.svg").read_text(encoding="utf-8")


def test_a_model_without_mistakes(small, drawn):
    answers = small.predict(drawn.images)
    known = drawn.subset(np.flatnonzero(answers == np.array(drawn.classes)[drawn.labels])[:5])
    figure = plot_saliency_grid(small, known, "gradient")
    assert "none" in [ax.get_title() for ax in figure.axes]


def test_what_is_wrong_is_said(small, drawn):
    with pytest.raises(ValueError, match="got 0, 1 and 4"):
        plot_saliency_grid(small, drawn.subset([]))
    with pytest.raises(ValueError, match="no saliency method"):
        plot_saliency_grid(small, drawn, "lime")
