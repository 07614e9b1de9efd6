"""The command line as a user types it."""

import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest
from PIL import Image

from ferembed import drawn_faces
from ferembed.cli import main

TINY = """
description: Seconds, for a test.
epochs: 1
encoder:
  {backbone: resnet10t, embedding_dim: 16, stem: standard, backbone_args: {channels: [8, 8, 8, 8], stem_width: 8}}
batches: {size: 64}
"""


def ferembed(*arguments, code=0):
    """What the command shows; in this process, since another would load everything again."""
    shown, asked = io.StringIO(), ["ferembed", *map(str, arguments)]
    with (
        patch.object(sys, "argv", asked),
        redirect_stdout(shown),
        redirect_stderr(shown),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert (ended.value.code or 0) == code, shown.getvalue()
    return shown.getvalue()


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A folder of drawn faces as SPLIT/LABEL/NUMBER.png."""
    root = tmp_path_factory.mktemp("faces")
    faces = drawn_faces(300, seed=5)
    for split, label, number, image in zip(faces.splits, faces.labels, faces.ids, faces.images, strict=True):
        path = root / split / faces.classes[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return root


@pytest.fixture(scope="module")
def run(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "tiny.yaml").write_text(TINY)
    shown = ferembed("train", tree, "--recipe", folder / "tiny.yaml", "--out", folder / "out")
    assert "epoch   1/1" in shown
    return folder / "out"


def test_training_again_returns_at_once(tree, run):
    shown = ferembed("train", tree, "--recipe", run.parent / "tiny.yaml", "--out", run)
    assert "epoch" not in shown
    assert "saved in" in shown


def test_evaluate_prints_every_voter_and_writes_json(tree, run, tmp_path):
    shown = ferembed("evaluate", run, tree, "--split", "test", "--json", tmp_path / "out.json")
    headings = ("accuracy", "balanced accuracy", "macro F1", "NLL", "ECE")
    for word in ("softmax", "k-NN", "vote", "without copies", *headings):
        assert word in shown
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures["split"] == "test"
    assert set(figures["all_images"]) == {"softmax", "knn", "vote"}
    assert 0 <= figures["all_images"]["vote"]["accuracy"] <= 1


def test_evaluate_tells_the_primary_figure_intervals_classes_and_retrieval(tree, run, tmp_path):
    options = ["--split", "test", "--views", "flip", "--resamples", 50, "--json", tmp_path / "out.json"]
    shown = ferembed("evaluate", run, tree, *options)
    for word in ("primary: accuracy of the vote", "flip views averaged", "precision", "R@10", "MAP@R", "silhouette"):
        assert word in " ".join(shown.split())
    figures = json.loads((tmp_path / "out.json").read_text())
    low, high = figures["primary_interval"]
    assert low <= figures["primary_value"] <= high
    assert f"{100 * low:.1f}-{100 * high:.1f}" in shown
    assert figures["views"] == "flip"


def test_report_and_compare_write_one_file_each(tree, run, tmp_path):
    shown = ferembed("report", run, tree, "--split", "test", "--copies", "--out", tmp_path / "report.html")
    assert f"wrote {tmp_path / 'report.html'}" in shown
    assert "Identical and near copies over all splits" in (tmp_path / "report.html").read_text()
    pair = ["--out", tmp_path / "pair.html", "--json", tmp_path / "pair.json"]
    shown = ferembed("compare", run, run, tree, "--split", "test", *pair)
    assert "McNemar" in shown
    paired = json.loads((tmp_path / "pair.json").read_text())["all_images"]["vote"]
    assert paired["mcnemar"]["p_value"] == 1.0
    assert paired["differences"]["accuracy"]["difference"] == 0.0
    assert (tmp_path / "pair.html").read_text().startswith("<!doctype html>")


def test_predict_names_the_label_every_probability_and_the_nearest_faces(tree, run):
    image = next((tree / "test" / "happy").glob("*.png"))
    shown = ferembed("predict", run, image, "--neighbors", 3)
    for name in ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"):
        assert name in shown
    assert shown.count("cosine") == 3


def test_recipes_are_listed_and_shown():
    listed = ferembed("recipes")
    assert "quick" in listed
    assert "drawn" in listed
    assert "embedding_dim: 128" in ferembed("recipes", "quick")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "gone.csv", "--out", "{tmp}/r"], "gone.csv"),
        (["train", "{tree}", "--recipe", "fast", "--out", "{tmp}/r"], "there is no recipe 'fast'"),
        (["train", "{tree}", "--set", "optimizer.rate=1", "--out", "{tmp}/r"], "no field 'optimizer.rate'"),
        (["evaluate", "{tmp}", "{tree}"], "not a folder saved by ferembed"),
        (["evaluate", "{run}", "{tree}", "--split", "exam"], "has no split 'exam'; it has train"),
        (
            ["report", "{run}", "{tree}", "--split", "exam", "--out", "{tmp}/r.html"],
            "has no split 'exam'; it has train",
        ),
        (["compare", "{run}", "{tmp}", "{tree}"], "not a folder saved by ferembed"),
        (["predict", "{run}", "gone.png"], "gone.png"),
        (["train", "{tree}", "--recipe", "{run}/../tiny.yaml", "--set", "epochs=2", "--out", "{run}"], "epochs: 1 / 2"),
    ],
)
def test_failures_exit_with_1_and_one_sentence(tree, run, tmp_path, arguments, sentence):
    shown = ferembed(*(a.format(tree=tree, run=run, tmp=tmp_path) for a in arguments), code=1)
    assert sentence in " ".join(shown.split())


@pytest.mark.parametrize("arguments", [["train"], ["nonsense"], ["evaluate", "a", "b", "--jsn", "x"]])
def test_wrong_use_exits_with_2(arguments):
    ferembed(*arguments, code=2)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["predict", "--help"]])
def test_help_loads_nothing_heavy(arguments):
    code = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from ferembed.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "typer" in loaded
    assert not loaded & {"torch", "faiss", "sklearn", "scipy", "lightning", "timm", "matplotlib", "pandas", "numpy"}


def test_the_command_is_installed_and_fails_in_one_line(tmp_path):
    command = [Path(sys.executable).parent / "ferembed", "evaluate", tmp_path, "drawn"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"ferembed: .* not a folder saved by ferembed.*\n", done.stderr)
