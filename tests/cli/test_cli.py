"""The command line as a user types it."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from ferembed import Recipe, Recognizer, drawn_faces, evaluate, load, load_dataset, train
from ferembed.cli import main
from ferembed.cli.options import DEFAULT
from ferembed.data import RAFDB_FOLDERS, load_folder
from ferembed.recognizer.shipped import card

TINY = """
description: Seconds, for a test.
epochs: 1
encoder:
  {backbone: resnet10t, embedding_dim: 16, stem: standard, backbone_args: {channels: [8, 8, 8, 8], stem_width: 8}}
batches: {size: 64}
"""

SEVEN = {name: name for name in ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")}


def ferembed(*arguments, code=0):
    """What the command shows; in this process, since another would load everything again."""
    shown, asked = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True), ["ferembed", *map(str, arguments)]
    with (
        patch.object(sys, "argv", asked),
        redirect_stdout(shown),
        redirect_stderr(shown),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    text = shown.buffer.getvalue().decode()
    assert (ended.value.code or 0) == code, text
    return text


def told(*arguments, code=0):
    """What the command shows, its lines joined, without the frame around a sentence of wrong use."""
    return " ".join(ferembed(*arguments, code=code).replace("│", " ").split())


def table(text):
    """What --csv printed."""
    return pd.read_csv(io.StringIO(text))


def write_faces(root, names, each=2):
    """Drawn faces as test/NAME/NUMBER.png, ``each`` of every class that has a name; the folder."""
    faces = drawn_faces(70, seed=3)
    for label, name in names.items():
        (root / "test" / name).mkdir(parents=True)
        for row in (faces.labels == faces.classes.index(label)).nonzero()[0][:each]:
            Image.fromarray(faces.images[row]).save(root / "test" / name / f"{row}.png")
    return root


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


def test_the_version_is_told_and_python_runs_the_command_too():
    told_by = [sys.executable, "-m", "ferembed", "--version"]
    assert ferembed("--version") == f"ferembed {version('ferembed')}\n"
    assert subprocess.run(told_by, capture_output=True, text=True, check=True).stdout == ferembed("--version")


def test_training_again_returns_at_once(tree, run):
    shown = ferembed("train", tree, "--recipe", run.parent / "tiny.yaml", "--out", run)
    assert "epoch" not in shown
    assert "saved in" in shown


def test_evaluate_prints_every_voter_and_writes_json(tree, run, tmp_path):
    shown = ferembed("evaluate", run, tree, "--split", "test", "--json", tmp_path / "out.json")
    headings = ("top-2 accuracy", "balanced accuracy", "macro F1", "AUROC", "NLL", "ECE", "squared CE")
    for word in ("softmax", "k-NN", "vote", "0 with a copy in the gallery", *headings):
        assert word in shown
    assert "without copies" not in shown
    assert "…" not in shown
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


def test_compare_shows_what_tells_two_runs_apart_and_writes_it_down(tree, run, tmp_path):
    pair = ["--no-copies", "--out", tmp_path / "pair.html", "--json", tmp_path / "pair.json"]
    shown = ferembed("compare", run, run, tree, "--split", "test", *pair)
    for word in ("AUROC", "squared CE", "McNemar", "R@10", "MAP@R"):
        assert word in shown
    paired = json.loads((tmp_path / "pair.json").read_text())["all_images"]["vote"]
    assert paired["mcnemar"]["p_value"] == 1.0
    assert paired["differences"]["accuracy"]["difference"] == 0.0
    page = (tmp_path / "pair.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "were not searched for" in page


def test_predict_names_the_label_every_probability_and_the_nearest_faces(tree, run):
    image = next((tree / "test" / "happy").glob("*.png"))
    shown = ferembed("predict", run, image, "--crop", "--neighbors", 3)
    for name in ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"):
        assert name in shown
    assert shown.count("cosine") == 3


def test_names_are_shown_as_they_are_and_on_the_report(run, tree, here):
    image = here / os.fsdecode(b"[bold]a [red] :smile: \xe9.png")
    shutil.copy(next((tree / "test" / "happy").glob("*.png")), image)
    for command in ([image.name], [here / image.name], [image.name, image.name]):
        assert r"[bold]a [red] :smile: \udce9.png" in ferembed("predict", run, *command, "--crop")
    named = here / "[b] :smile:"
    for split in ("train", "validation", "test"):
        shutil.copytree(tree / split / "happy", named / split / "[happy] :)")
        shutil.copytree(tree / split / "sad", named / split / "[sad]")
    assert ferembed(
        "train", named, "--recipe", run.parent / "tiny.yaml", "--set", "batches.size=32", "--out", here / "[run]:1"
    )
    shown = ferembed("evaluate", here / "[run]:1", named, "--split", "test")
    assert "[happy] :)" in shown
    assert "[sad]" in shown
    shown = ferembed("report", here / "[run]:1", named, "--split", "test", "--out", here / "report.html")
    assert f"wrote {here / 'report.html'}" in shown
    page = (here / "report.html").read_text()
    assert "[happy] :)" in page
    assert "Identical and near copies over all splits" in page


HUES = {"1": (230, 60, 60), "2": (60, 153, 20), "3": (90, 90, 255)}
"""Colours of one grey, by the numbers of RAF-DB's folders."""


@pytest.fixture(scope="module")
def hues(tmp_path_factory):
    """Squares that differ in hue alone, as train/NUMBER and test/NUMBER: no validation split, no names."""
    root, rng = tmp_path_factory.mktemp("hues"), np.random.default_rng(0)
    for number, colour in HUES.items():
        for split, count in (("train", 40), ("test", 12)):
            (root / split / number).mkdir(parents=True)
            for place in range(count):
                noise = rng.normal(0, 8, (64, 64, 1))
                picture = (np.array(colour) + noise).clip(0, 255).astype(np.uint8)
                Image.fromarray(picture).save(root / split / number / f"{place}.png")
    return root


def in_colour(folder):
    recipe = yaml.safe_load(TINY) | {"epochs": 6, "batches": {"size": 30}}
    recipe["encoder"] |= {"channels": 3, "image_size": 32}
    recipe["augment"] = {"brightness": 0.0, "contrast": 0.0, "erasing": 0.0}
    (folder / "colour.yaml").write_text(yaml.safe_dump(recipe))
    return folder / "colour.yaml"


def test_colours_count_where_the_recipe_looks_at_them_and_a_split_can_be_held_out(hues, here):
    recipe, out, named = in_colour(here), here / "out", ["--classes", "1=surprise,2=fear,3=disgust"]
    assert "--validation 0.1" in ferembed("train", hues, "--recipe", recipe, "--out", out, *named, code=1)
    ferembed("train", hues, "--recipe", recipe, "--out", out, "--validation", 0.2, *named)
    judging = ["--split", "test", "--classes", "rafdb", "--resamples", 0]
    ferembed("evaluate", out, hues, *judging, "--json", here / "judged.json")
    assert json.loads((here / "judged.json").read_text())["all_images"]["vote"]["accuracy"] == 1.0
    told("compare", out, out, hues, *judging[:4], "--json", here / "both.json")
    both = json.loads((here / "both.json").read_text())["all_images"]["vote"]["differences"]["accuracy"]
    assert both["first"] == both["second"] == 1.0
    ferembed("report", out, hues, *judging[:4], "--out", here / "report.html")
    faces = load_folder(hues, classes=RAFDB_FOLDERS)
    assert evaluate(Recognizer.load(out), faces.split("test"), resamples=0).primary_value == 1.0
    held = load_folder(hues, classes={"1": "surprise", "2": "fear", "3": "disgust"}).with_validation(0.2)
    again = train(Recipe.named(str(recipe)), held.split("train"), held.split("validation"), here / "again")
    assert evaluate(again, held.split("test"), resamples=0).primary_value == 1.0


@pytest.mark.parametrize("classes", ["1=happy,sad", "happy,,sad", "=happy", "1="])
def test_classes_that_say_nothing_are_refused(hues, run, classes):
    assert "--classes takes rafdb, affectnet, pairs" in told("evaluate", run, hues, "--classes", classes, code=2)


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
        (["predict", "gone.png"], "gone.png"),
        (["predict", "gone", "gone.png"], "there is no run or file gone; the recognisers that come with ferembed are"),
        (["predict", "{tmp}", "gone.png"], "{tmp} holds no photo and no video, and is no recogniser."),
        (["evaluate", "gone.csv"], "gone.csv does not exist"),
        (["evaluate", "gone", "{tree}"], "there is no run or file gone; the recognisers that come with ferembed are"),
        (["card", "{tree}", "--write", "{tmp}"], "not a folder saved by ferembed"),
        (["train", "{tree}", "--recipe", "{run}/../tiny.yaml", "--set", "epochs=2", "--out", "{run}"], "epochs: 1 / 2"),
    ],
)
def test_failures_exit_with_1_and_one_sentence(tree, run, tmp_path, arguments, sentence):
    shown = ferembed(*(a.format(tree=tree, run=run, tmp=tmp_path) for a in arguments), code=1)
    assert sentence.format(tmp=tmp_path) in " ".join(shown.split())


@pytest.mark.parametrize("arguments", [["train"], ["nonsense"], ["evaluate", "a", "b", "--jsn", "x"], ["card", "a"]])
def test_wrong_use_exits_with_2(arguments):
    ferembed(*arguments, code=2)


def loaded_by(*arguments):
    """The packages that a process of its own has loaded when the command ends."""
    code = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from ferembed.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["predict", "--help"], ["card", "--help"]])
def test_help_loads_nothing_heavy(arguments):
    loaded = loaded_by(*arguments)
    assert "typer" in loaded
    assert not loaded & {"torch", "faiss", "sklearn", "scipy", "lightning", "timm", "matplotlib", "pandas", "numpy"}


def test_what_ships_is_judged_without_what_trains_and_draws(few):
    loaded = loaded_by("compare", "small", "small", few, "--split", "test")
    assert "onnxruntime" in loaded
    assert not loaded & {"torch", "torchvision", "torchmetrics", "timm", "lightning", "matplotlib"}


def test_the_command_is_installed_and_fails_in_one_line(tmp_path):
    command = [Path(sys.executable).parent / "ferembed", "evaluate", tmp_path, "drawn"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"ferembed: .* not a folder saved by ferembed.*\n", done.stderr)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Two faces each of happy and sad."""
    return write_faces(tmp_path_factory.mktemp("few"), {"happy": "happy", "sad": "sad"})


@pytest.fixture(scope="module")
def images(few):
    return [next((few / "test" / name).glob("*.png")) for name in ("happy", "sad")]


def test_predict_asks_the_shipped_one_and_every_kind_of_run(images, here):
    load("ferplus").save(here / "saved")
    load("ferplus").export(here / "exported")
    shutil.copy(here / "exported", here / "exported.safetensors")
    assert told("predict", *images, "--crop") == told("predict", DEFAULT, *images, "--crop")
    expected = table(ferembed("predict", "ferplus", *images, "--crop", "--csv"))
    assert "contempt" in expected
    assert expected["photo"].tolist() == list(map(str, images))
    for run in ("saved", "exported", "exported.safetensors"):
        shown = table(ferembed("predict", run, *images, "--crop", "--csv"))
        rounded = 2e-5 if run == "saved" else 1e-4  # an export rounds the votes of its gallery's faces
        pd.testing.assert_frame_equal(shown, expected, atol=rounded)


def test_evaluate_judges_the_shipped_one(few, here):
    options = ("--split", "test", "--resamples", 0, "--json")
    told("evaluate", few, *options, here / "without.json")
    told("evaluate", DEFAULT, few, *options, here / "named.json")
    assert json.loads((here / "without.json").read_text()) == json.loads((here / "named.json").read_text())
    assert load().info == load(DEFAULT).info


@pytest.mark.slow
def test_report_judges_the_shipped_one(few, here):
    told("report", few, "--split", "test", "--out", here / "report.html")
    assert f"Report of {DEFAULT}" in (here / "report.html").read_text()


def test_drawn_is_a_word_for_data_even_where_a_run_has_that_name(here):
    (here / "drawn" / "recognizer").mkdir(parents=True)
    assert "has no split 'exam'" in told("evaluate", "drawn", "--split", "exam", code=1)


@pytest.mark.parametrize("files", [["recognizer/x"], ["recipe.yaml", "data.json"], ["recipe.yaml", "checkpoints/x"]])
def test_a_run_alone_is_no_data_and_one_in_training_has_no_recognizer_yet(few, here, files):
    for name in files:
        (here / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "run" / name).touch()
    alone = "run is a run: name the data after it, as in `ferembed evaluate run data.csv`"
    assert alone in told("evaluate", "run", code=2)
    assert "not a folder saved by ferembed" in told("evaluate", "run", few, code=1)


def test_what_may_mean_two_things_is_refused_with_how_to_write_it(few, images, here):
    image = images[0]
    alone = "name the photos after it, as in `ferembed predict ferplus photo.jpg`"
    assert f"ferplus is a run: {alone}" in told("predict", "ferplus", code=2)
    shutil.copytree(few, here / "ferplus")
    (here / "small").write_bytes(image.read_bytes())
    for arguments in (["evaluate", "ferplus"], ["evaluate", "ferplus", few], ["report", "ferplus", few]):
        assert "write ./ferplus for the folder" in told(*arguments, code=2)
    for arguments in (
        ["predict", "small", image],
        ["audit", few, "--run", "small"],
        ["export", "small", here / "x.safetensors"],
    ):
        assert "write ./small for the file" in told(*arguments, code=2)
    assert told("predict", "./small", "--crop").replace("./small", str(image)) == told("predict", image, "--crop")
    assert "has no split 'exam'" in told("evaluate", "./ferplus", "--split", "exam", code=1)


@pytest.mark.parametrize(("command", "usage"), [("predict", "[RUN] PHOTO..."), ("evaluate", "[RUN] DATA")])
def test_the_usage_line_shows_that_the_run_may_be_left_out_and_nothing_else(command, usage):
    assert f"ferembed {command} [OPTIONS] {usage} " in ferembed(command, "--help")
    assert f"as in `ferembed {command} " in ferembed(command, code=2)


def test_audit_doubts_labels_with_the_shipped_one_where_it_knows_their_classes(here):
    faces = write_faces(here / "faces", SEVEN)
    told("audit", faces, "--out", here / "a")
    told("audit", faces, "--out", here / "b", "--run", DEFAULT)
    labels = [json.loads((here / out / "audit.json").read_text())["labels"] for out in ("a", "b")]
    assert labels[0] == labels[1]
    assert set(labels[0]["classes"]) == set(SEVEN)


def test_audit_says_that_faces_the_recogniser_learnt_are_less_doubted(run, tree, here):
    shown = told("audit", tree, "--out", here, "--run", run)
    assert "210 of these faces taught the encoder, which doubts" in shown
    assert "wrote copies.csv, labels.csv, near_copies.csv, outliers.csv in" in shown


@pytest.mark.parametrize(
    ("other", "each", "why"), [({"happy": "glad"}, 2, "name a run that knows these with --run"), ({}, 1, "two faces")]
)
def test_audit_leaves_labels_unjudged_that_the_shipped_one_cannot_doubt_and_says_why(here, other, each, why):
    shown = told("audit", write_faces(here / "faces", {**SEVEN, **other}, each), "--out", here / "audit")
    assert "labels: left unjudged, since" in shown
    assert why in shown
    assert json.loads((here / "audit" / "audit.json").read_text())["labels"] is None


def test_card_prints_the_card_as_it_stands():
    assert ferembed("card") == card()


def test_a_run_gets_a_card_with_its_own_figures_and_recipe(tree, run):
    shown = ferembed("card", tree, "--write", run)
    assert f"wrote {run / 'card.md'}" in shown.replace("\n", "")
    text = (run / "card.md").read_text()
    judged = evaluate(Recognizer.load(run), load_dataset(tree).split("validation"), resamples=0)
    for views, group, metrics in (
        ("single", "all", judged.all_images),
        ("single", "without copies", judged.without_copies),
    ):
        for voter, name in (("softmax", "softmax"), ("knn", "k-NN"), ("vote", "vote")):
            one = metrics[voter]
            figures = f"{100 * one.accuracy:.1f} | {100 * one.balanced_accuracy:.1f} | {100 * one.macro_f1:.1f}"
            assert f"| {views} | {group} | {name} | {figures} | {one.nll:.3f} | {one.ece:.3f} |" in text
    written = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert Recipe.model_validate(written) == Recipe.from_yaml(run / "recipe.yaml")
    assert json.loads((run / "data.json").read_text())["train"] in text
    assert "holds no pixels" in text
