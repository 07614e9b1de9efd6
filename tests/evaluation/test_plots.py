"""Pictures: what they show, on axes given or new, without pyplot."""

import io
import sys
from itertools import combinations

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.offsetbox import AnnotationBbox
from matplotlib.text import Text
from scipy.stats import binomtest

from ferembed.evaluation import (
    evaluate_probabilities,
    plot_classes,
    plot_confusion,
    plot_confusion_difference,
    plot_curves,
    plot_embedding,
    plot_faces,
    plot_mistakes,
    plot_reliability,
    plot_retrieval,
    plot_risk_coverage,
    plot_training,
    project_embedding,
    reliability_curve,
    risk_coverage_curve,
    save_figure,
)
from ferembed.evaluation.plots import read_curves
from ferembed.evaluation.plots.canvas import class_colours, class_markers, palette, plain
from ferembed.labels import COLOURS, FER2013_CLASSES, FERPLUS_CLASSES


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
    measured = evaluate_probabilities(truth, rng.dirichlet(np.ones(7), 500), FER2013_CLASSES, resamples=50)
    return {
        "confusion": lambda ax=None: plot_confusion(truth, said, FER2013_CLASSES, ax=ax),
        "reliability": lambda ax=None: plot_reliability(reliability_curve(*answers), ax=ax),
        "counts": lambda ax=None: plot_confusion(truth, said, FER2013_CLASSES, ax, cells="counts"),
        "difference": lambda ax=None: plot_confusion_difference(truth, said, truth, FER2013_CLASSES, ax),
        "classes": lambda ax=None: plot_classes(measured, ax),
        "map": lambda ax=None: plot_embedding(rng.normal(size=(500, 2)), truth, FER2013_CLASSES, said, ax=ax),
        "curves": lambda ax=None: plot_curves({"train/loss": (np.arange(3), np.arange(3))}, ax),
        "risk": lambda ax=None: plot_risk_coverage({"k-NN": curve, "softmax": curve}, ax=ax),
    }


LOG = "epoch,step,train/loss,validation/knn_accuracy\n0,9,,0.5\n0,9,2.0,\n1,19,,0.75\n1,19,1.5,\n"


def sheets(folder):
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 255, (4, 3, 8, 8), np.uint8)
    said = rng.dirichlet(np.ones(2), 4)
    wrong = np.array(["a", "b"])[said.argmin(axis=1)]
    (folder / "metrics.csv").write_text(LOG)
    return {
        "faces": lambda ax=None: plot_faces(faces[0], ["one", "two", "three"], ax),
        "retrieval": lambda ax=None: plot_retrieval(
            faces[:, 0], ["a"] * 4, faces, [["a"] * 3] * 4, said[:, [0] * 3], ax
        ),
        "mistakes": lambda ax=None: plot_mistakes(faces[:, 0], wrong, said, ["a", "b"], ax),
        "training": lambda ax=None: plot_training(folder / "metrics.csv", ax),
    }


@pytest.mark.parametrize("name", ["faces", "retrieval", "mistakes", "training"])
def test_a_sheet_is_a_new_figure_or_takes_the_place_of_axes(name, tmp_path):
    from matplotlib.figure import Figure

    draw, figure = sheets(tmp_path)[name], Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    sheet = draw(right)
    assert sheet.get_figure(root=True) is figure
    assert left in figure.axes
    assert right not in figure.axes
    figure.canvas.draw()
    drawn = [each for each in sheet.axes if each.has_data()]
    assert len(drawn) == sum(each.has_data() for each in draw().axes) > 0
    assert min(each.get_window_extent().x0 for each in drawn) > left.get_window_extent().x1
    for ending, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        save_figure(draw(), tmp_path / f"alone.{ending}")
        save_figure(sheet, tmp_path / f"beside.{ending}")
        for path in (tmp_path / f"alone.{ending}", tmp_path / f"beside.{ending}"):
            assert path.read_bytes().startswith(start)
    with pytest.raises(ValueError, match="takes the place of a subplot"):
        draw(Figure().add_axes((0, 0, 1, 1)))


@pytest.mark.parametrize(
    "name", ["confusion", "counts", "difference", "classes", "map", "curves", "reliability", "risk"]
)
def test_drawn_on_a_new_figure_or_on_given_axes(answers, name):
    from matplotlib.figure import Figure

    draw = drawings(answers)[name]
    file = io.BytesIO()
    draw().figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")
    ax = Figure().add_subplot()
    assert draw(ax) is ax
    assert ax.has_data()


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_reliability_bars_are_accuracies_with_their_intervals_and_confidence_is_marked(answers, binning):
    curve = reliability_curve(*answers, 10, binning)
    ax = plot_reliability(curve)
    bars = next(each for each in ax.containers if type(each).__name__ == "BarContainer")
    whiskers = next(each for each in ax.containers if type(each).__name__ == "ErrorbarContainer").lines[2][0]
    marks = next(each for each in ax.collections if each.get_label() == "mean confidence")
    assert [bar.get_height() for bar in bars] == pytest.approx(curve.accuracy.tolist())
    for place, (bar, n, share) in enumerate(zip(bars, curve.count, curve.accuracy, strict=True)):
        left, right = bar.get_x(), bar.get_x() + bar.get_width()
        assert left - 1e-9 <= curve.confidence[place] <= right + 1e-9
        middle, exact = (left + right) / 2, binomtest(round(share * n), int(n)).proportion_ci(method="exact")
        segment = whiskers.get_segments()[place]
        np.testing.assert_allclose(segment, [[middle, exact.low], [middle, exact.high]], atol=1e-6)
        sure = curve.confidence[place]
        np.testing.assert_allclose(marks.get_segments()[place], [[left, sure], [right, sure]])
    assert [int(text.get_text().replace(",", "")) for text in ax.texts] == curve.count.tolist()


def test_nothing_runs_behind_a_legend(answers):
    measured = evaluate_probabilities(
        ["a", "b"] * 9, np.tile([[0.9, 0.1], [0.1, 0.9]], (9, 1)), ["a", "b"], resamples=5
    )
    curve = risk_coverage_curve(*answers)
    for ax in (
        plot_classes(measured),
        plot_classes(dict.fromkeys(["a name of many words that is too long for one line", "b", "c", "d"], measured)),
        plot_reliability(reliability_curve([0.1, 0.2, 0.3], [True] * 3)),
        plot_risk_coverage(dict.fromkeys("abcde", curve)),
        plot_curves({f"train/{name}": (np.arange(9), np.arange(9)) for name in "abcdefghi"}, title="loss"),
    ):
        ax.figure.canvas.draw()
        legend = ax.get_legend().get_window_extent()
        assert not legend.overlaps(ax.get_window_extent())
        if ax.get_title():
            assert not legend.overlaps(ax.title.get_window_extent())


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


ODD = (
    "$5",
    "$a^{$",
    "Ärger & <b>",
    "ärger_&_<b>",
    "\N{PERFORMING ARTS}",
    "a class of more than forty letters, all told",
)


def odd_pictures(folder):
    """Every picture, with names that mean something to matplotlib, or that its font cannot write."""
    rng = np.random.default_rng(0)
    truth = np.array(ODD * 2)
    said, proba, faces = rng.permutation(truth), rng.dirichlet(np.ones(6), 12), np.zeros((12, 2, 6, 6), np.uint8)
    measured = evaluate_probabilities(truth, proba, ODD, resamples=2)
    risk = risk_coverage_curve(proba.max(axis=1), said == truth)
    names = ",".join(f'"validation/distance/{name}"' for name in ODD)
    (folder / "metrics.csv").write_text(f"epoch,train/$loss$,{names}\n" + "0,1,1,2,3,4,5,6\n1,1,1,2,3,4,5,6\n")
    yield plot_confusion(truth, said, ODD)
    yield plot_confusion_difference(truth, said, truth, ODD)
    yield plot_classes(measured)
    yield plot_classes(dict.fromkeys(ODD, measured))
    yield plot_risk_coverage(dict.fromkeys(ODD, risk))
    yield plot_embedding(rng.normal(size=(12, 2)), truth, ODD, said, faces[:, 0])
    yield plot_faces(faces[:, 0], ODD * 2)
    yield plot_mistakes(faces[:, 0], truth, proba, ODD)
    yield plot_retrieval(faces[:, 0], ODD * 2, faces, np.array(ODD * 4).reshape(12, 2), np.zeros((12, 2)))
    yield plot_training(folder / "metrics.csv")


def written_in(picture):
    """The texts of a picture as they are shown; drawing them fails where one is taken for a broken formula."""
    figure = picture.get_figure(root=True)
    figure.canvas.draw()
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert not any(text.replace(r"\$", "").count("$") for text in texts)
    return " ".join(" ".join(texts).split()).replace(r"\$", "$")


@pytest.mark.filterwarnings("error")
def test_names_are_written_as_they_are(tmp_path):
    for picture in odd_pictures(tmp_path):
        shown = written_in(picture)
        assert all(name in shown for name in ("$5", "$a^{$", "[performing arts]"))


def test_a_name_that_begins_with_an_underscore_is_in_the_legend():
    curve = risk_coverage_curve([0.9, 0.8, 0.7], [True, False, True])
    legend = plot_risk_coverage({"_ours": curve, "theirs": curve}).get_legend()
    assert [text.get_text().split()[0] for text in legend.get_texts()] == ["_ours", "theirs"]


def test_long_names_are_wrapped_where_their_parts_join():
    assert plain("very_long_class_name of a_data_set", 16) == "very_long_class_\nname of a_data_\nset"
    assert plain("runs/first/second", 12) == "runs/first/\nsecond"
    cut = plain("x" * 99, 10).split("\n")
    assert len(cut) == 3
    assert max(map(len, cut)) == 10
    assert cut[-1].endswith("…")
    assert plain("two\nlines", 40) == "two\nlines"


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="y_true has 1 rows and y_pred 2"):
        plot_confusion(["a"], ["a", "a"], ["a"])


def simulated(colour, matrix):
    """A colour in CIE L*a*b*, as seen through a matrix over linear RGB."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(np.array(matrix) @ linear, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


# Full deficiency after Machado, Oliveira and Fernandes (2009).
SIGHT = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("paper", ["white", "black"])
def test_emotions_keep_their_colours_apart_for_every_eye(sight, paper):
    with rc_context({"text.color": "black" if paper == "white" else "white"}):
        seen = {name: simulated(colour, SIGHT[sight]) for name, colour in palette().items()}
    nearest = min((np.linalg.norm(seen[a] - seen[b]), a, b) for a, b in combinations(seen, 2))
    assert nearest[0] > 15, nearest


def test_classes_differ_in_marker_too_and_strangers_get_colours_of_their_own():
    names = [*FERPLUS_CLASSES, "boredom"]
    assert len(set(class_markers(names))) == len(names)
    colours = class_colours(["boredom", "happy", "envy"])
    assert colours[1] == COLOURS["happy"]
    assert len(set(colours)) == 3
    assert len(set(class_colours([*range(40), "happy"]))) == 41


def test_counts_and_difference_of_two_systems():
    truth, first, second = list("aaaab"), list("aaabb"), list("aabba")
    counts = plot_confusion(truth, first, ["a", "b"], cells="counts")
    assert [text.get_text() for text in counts.texts] == ["3", "1", "0", "1"]
    ax = plot_confusion_difference(truth, first, second, ["a", "b"])
    assert [text.get_text() for text in ax.texts] == ["-25.0", "-1", "+25.0", "+1", "+100.0", "+1", "-100.0", "-1"]
    low, high = ax.images[0].get_clim()
    assert (low, high) == (-100, 100)
    with pytest.raises(ValueError, match="'shares' or 'counts', not 'share'"):
        plot_confusion(truth, first, ["a", "b"], cells="share")


def test_class_bars_and_their_whiskers(answers):
    rng = np.random.default_rng(1)
    codes, proba = rng.integers(0, 3, 200), rng.dirichlet(np.ones(3), 200)
    measured = evaluate_probabilities(codes, proba, range(3), resamples=100)
    ax = plot_classes(measured)
    bars = [each for each in ax.containers if type(each).__name__ == "BarContainer"]
    whiskers = [each for each in ax.containers if type(each).__name__ == "ErrorbarContainer"]
    for field, lengths, reach in zip(("recall", "precision", "f1"), bars, whiskers, strict=True):
        for place, each in enumerate(measured.per_class.values()):
            assert lengths[place].get_width() == pytest.approx(getattr(each, field))
            segment = reach.lines[2][0].get_segments()[place]
            assert segment[:, 0].tolist() == pytest.approx(list(each.intervals[field]))
    two = plot_classes({"k-NN": measured, "vote": measured}, figure="f1")
    assert [text.get_text() for text in two.get_legend().get_texts()] == ["k-NN", "vote"]
    assert two.get_xlabel() == "F1"


def test_a_class_never_named_has_no_precision_bar():
    measured = evaluate_probabilities(["a", "b"], [[0.9, 0.1], [0.8, 0.2]], ["a", "b"], resamples=10)
    precision = plot_classes(measured).containers[2]
    assert np.isnan(precision[1].get_width())


def test_map_shows_every_face_rings_the_wrong_ones_and_sets_some_in():
    rng = np.random.default_rng(0)
    points, images = rng.normal(size=(60, 2)), rng.integers(0, 255, (60, 8, 8), np.uint8)
    truth = np.array(["happy", "sad"] * 30)
    said = np.where(np.arange(60) < 20, "happy", truth)
    ax = plot_embedding(points, truth, ["happy", "sad"], said, images)
    happy, sad, wrong = (each.get_offsets() for each in ax.collections)
    np.testing.assert_allclose(happy, points[truth == "happy"], atol=1e-5)
    np.testing.assert_allclose(sad, points[truth == "sad"], atol=1e-5)
    np.testing.assert_allclose(wrong, points[truth != said], atol=1e-5)
    insets = [each for each in ax.artists if isinstance(each, AnnotationBbox)]
    assert len(insets) == 10
    assert {text.get_text() for each in insets for text in each.findobj(Text)} == {"sad >\nhappy"}
    joined = {tuple(np.float32(each.xy).tolist()) for each in insets}
    assert joined <= {tuple(place) for place in np.float32(points[truth != said]).tolist()}


@pytest.mark.parametrize("classes", [2, 40])
def test_faces_beside_a_map_cover_neither_points_nor_each_other(classes):
    rng = np.random.default_rng(0)
    names = np.array([f"expression {place} of very many" for place in range(classes)])
    points, truth, said = rng.normal(size=(300, 2)), rng.choice(names, 300), rng.choice(names, 300)
    ax = plot_embedding(points, truth, names, said, np.zeros((300, 8, 8), np.uint8))
    ax.figure.canvas.draw()
    boxes = [each.patch.get_window_extent() for each in ax.artists if isinstance(each, AnnotationBbox)]
    assert len(boxes) >= 8
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    shown, whole = ax.transData.transform(points), ax.get_window_extent()
    assert not any(box.contains(x, y) for box in boxes for x, y in shown)
    assert all(whole.y0 < box.y0 and box.y1 < whole.y1 and whole.x0 < box.x0 and box.x1 < whole.x1 for box in boxes)
    assert not plot_embedding(points, truth, names, said, np.zeros((300, 8, 8), np.uint8), small_axes()).artists


def small_axes():
    from matplotlib.figure import Figure

    return Figure(figsize=(3, 3)).add_subplot()


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_projection_keeps_groups_together_and_repeats(method):
    if method == "umap":
        pytest.importorskip("umap", reason="umap-learn, which no extra installs, is not there")
    rng = np.random.default_rng(0)
    groups = np.repeat(np.eye(8)[:2], 30, axis=0) + rng.normal(scale=0.05, size=(60, 8))
    points = project_embedding(groups, method=method, seed=1)
    assert points.shape == (60, 2)
    np.testing.assert_array_equal(points, project_embedding(groups, method=method, seed=1))
    near = np.argsort(np.linalg.norm(points[:, None] - points[None], axis=2), axis=1)[:, 1:6]
    assert ((near < 30) == (np.arange(60) < 30)[:, None]).mean() > 0.95


@pytest.mark.parametrize("points", [1, 2, 3, 4])
def test_copies_of_a_few_embeddings_have_a_map(points):
    rng = np.random.default_rng(0)
    vectors = np.repeat(np.eye(8)[:points], 30, axis=0) + rng.normal(scale=1e-8, size=(30 * points, 8))
    places = project_embedding(vectors)
    assert np.isfinite(places).all()
    apart = np.linalg.norm(places[::30, None] - places[None, ::30], axis=2) + np.eye(points)
    assert apart.min() > 0.5
    assert np.ptp(places[:30], axis=0).max() < 1e-2 * np.ptp(np.append(places, [[1, 1]], axis=0), axis=0).max()


def test_projection_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match="pip install umap-learn"):
        project_embedding(np.eye(5), method="umap")
    with pytest.raises(ValueError, match=r"four embeddings or more, as rows; got shape \(3, 3\)"):
        project_embedding(np.eye(3))
    with pytest.raises(ValueError, match="'tsne' or 'umap', not 'pca'"):
        project_embedding(np.eye(5), method="pca")
    with pytest.raises(ValueError, match="some hold NaN or infinity"):
        project_embedding(np.full((5, 8), np.nan))


def test_retrieval_sheet_names_labels_and_distances():
    faces = np.zeros((2, 3, 6, 6), np.uint8)
    figure = plot_retrieval(
        faces[:, 0], ["sad", "happy"], faces, [["sad"] * 3, ["happy", "sad", "happy"]], np.arange(6).reshape(2, 3) / 10
    )
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[0] == "query: sad"
    assert titles[4:] == ["query: happy", "happy\n0.300", "sad\n0.400", "happy\n0.500"]
    widths = [ax.spines["left"].get_linewidth() for ax in figure.axes[5:]]
    assert widths[1] > 2 * widths[0] == 2 * widths[2]
    with pytest.raises(ValueError, match="2 queries need as many labels"):
        plot_retrieval(faces[:, 0], ["sad"], faces, [["sad"] * 3] * 2, np.zeros((2, 3)))


def test_mistakes_come_surest_first():
    proba = [[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]
    figure = plot_mistakes(np.zeros((4, 6, 6), np.uint8), ["b", "a", "a", "b"], proba, ["a", "b"], count=2)
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == ["b 80%\nis a", "a 70%\nis b"]
    with pytest.raises(ValueError, match="every face is named rightly"):
        plot_mistakes(np.zeros((1, 6, 6), np.uint8), ["a"], [[1.0, 0.0]], ["a", "b"])


def test_training_curves_are_those_logged(tmp_path):
    log = tmp_path / "logs" / "csv" / "metrics.csv"
    log.parent.mkdir(parents=True)
    log.write_text(LOG)
    curves = read_curves(tmp_path)
    assert {name: [c.tolist() for c in curve] for name, curve in curves.items()} == {
        "validation/knn_accuracy": [[1, 2], [0.5, 0.75]],
        "train/loss": [[1, 2], [2.0, 1.5]],
    }
    figure = plot_training(tmp_path)
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == ["training loss", "validation accuracy"]
    of_classes = "epoch,validation/distance_within,validation/distance_within/sad,validation/distance_within/happy\n"
    (tmp_path / "classes.csv").write_text(of_classes + "0,0.5,0.4,0.6\n1,0.4,0.3,0.5\n")
    shown = {ax.get_title(): ax for ax in plot_training(tmp_path / "classes.csv").axes if ax.get_title()}
    assert list(shown) == ["validation distances", "sad", "happy"]
    assert [ax.get_lines()[0].get_ydata().tolist() for ax in shown.values()] == [[0.5, 0.4], [0.4, 0.3], [0.6, 0.5]]
    line = plot_curves(curves).get_lines()[0]
    assert line.get_xydata().tolist() == [[1, 0.5], [2, 0.75]]
    with pytest.raises(FileNotFoundError, match="the run has logged no figures"):
        plot_training(tmp_path / "logs")
    log.write_text("epoch,train/loss\n0,much\n")
    with pytest.raises(ValueError, match=r"metrics.csv, line 2: not a line"):
        plot_training(tmp_path)


def test_every_picture_is_saved_as_png_and_svg(answers, tmp_path):
    for name, draw in drawings(answers).items():
        for ending, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
            save_figure(draw(), tmp_path / f"{name}.{ending}")
            assert (tmp_path / f"{name}.{ending}").read_bytes().startswith(start)
