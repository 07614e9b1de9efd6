"""Runs that start from another's weights, learn from its answers, or take their labels from annotators' votes."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ferembed import DataError, RecipeError, StorageError, evaluate, load, train
from ferembed.data.readers.ferplus import ferplus_labels, refined_targets
from ferembed.runs._lineage import start_of, teachers_of, trained_network
from ferembed.runs.pipeline import VOTING
from ferembed.training.checkpoint import best_weights
from ferembed.training.fit import make_learner
from ferembed.training.teachers import answers

sys.path.insert(0, str(Path(__file__).parent))
from test_fit import TINY, faces

TAUGHT = {"losses": [{"name": "cross_entropy"}, {"name": "distillation", "weight": 2.0}]}
CLASSES = faces().classes


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "teacher"
    data = faces()
    return train(TINY, data.split("train"), data.split("validation"), out), out


def test_a_run_starts_from_the_best_weights_of_another(finished):
    _, folder = finished
    recipe = TINY.override({"start": str(folder)})
    learner, known = make_learner(recipe, faces(), start=start_of(recipe, CLASSES)), best_weights(folder)
    images = torch.rand(9, 1, 32, 32)
    for name, value in learner.network.encoder.state_dict().items():
        torch.testing.assert_close(value, known[f"network.encoder.{name}"])
    other = make_learner(TINY, faces()).network
    other.load_state_dict({k.removeprefix("network."): v for k, v in known.items() if k.startswith("network.")})
    torch.testing.assert_close(learner.network.eval()(images)[1], other.eval()(images)[1])


def test_a_run_may_end_between_its_start_and_what_it_learnt(finished, tmp_path):
    _, folder = finished
    recipe, data = TINY.override({"start": str(folder), "start_share": 0.25, "epochs": 1}), faces()
    recognizer = train(recipe, data.split("train"), data.split("validation"), tmp_path / "run")
    before, learnt = best_weights(folder), best_weights(tmp_path / "run")
    encoder = recognizer.encoder
    for name, value in encoder.named_parameters():
        first, last = (weights[f"network.encoder.{name}"] for weights in (before, learnt))
        assert not torch.equal(first, last)
        torch.testing.assert_close(value, 0.25 * first + 0.75 * last)
    images = torch.tensor(data.split("train").without_blank().images)[:, None].float() / 255
    convolution, normalisation = encoder.backbone.conv1[:2]
    convolution.register_forward_hook(lambda _, __, seen: means.append(seen.mean(dim=(0, 2, 3))))
    means = []
    with torch.no_grad():
        encoder(images)
    torch.testing.assert_close(normalisation.running_mean, means[0], atol=1e-3, rtol=1e-3)
    with pytest.raises(RecipeError, match="no start whose weights"):
        TINY.override({"start_share": 0.25})


def test_an_exported_file_is_as_good_a_start_as_the_run_it_was_made_of(finished, tmp_path):
    recognizer, folder = finished
    recognizer.export(tmp_path / "file.safetensors")
    images = torch.rand(9, 1, 32, 32)
    starts = [start_of(TINY.override({"start": str(p)}), CLASSES) for p in (folder, tmp_path / "file.safetensors")]
    torch.testing.assert_close(starts[0](images)[1], starts[1](images)[1], atol=0.05, rtol=0)


def test_other_classes_start_from_the_encoder_alone(finished):
    recognizer, _ = finished
    assert trained_network(recognizer, CLASSES).softmax is not None
    assert trained_network(recognizer, ("even", "odd")).softmax is None


def test_pupils_learn_the_mean_answer_of_teachers_that_stay_as_they_are(finished, tmp_path):
    _, folder = finished
    recipe = TINY.override({**TAUGHT, "teachers": [str(folder)], "epochs": 2, "augment.mixup": 0.4})
    (teacher,), images = teachers_of(recipe, CLASSES), torch.rand(5, 1, 32, 32)
    alone = answers([teacher], images)
    torch.testing.assert_close(answers([teacher, teacher], images), alone)
    torch.testing.assert_close(alone.exp().sum(dim=1), torch.ones(5))
    data, known = faces(), best_weights(folder)
    train(recipe, data.split("train"), data.split("validation"), tmp_path / "pupil")
    assert all(torch.equal(known[name], value) for name, value in best_weights(folder).items())
    assert known.keys() == best_weights(tmp_path / "pupil").keys()


def test_teachers_that_see_the_faces_are_asked_once_and_what_they_said_is_kept(finished, tmp_path):
    _, folder = finished
    recipe = TINY.override({**TAUGHT, "teachers": [str(folder)], "epochs": 1, "losses.1.teachers_see": "faces"})
    data, out = faces(), tmp_path / "pupil"

    def trained():
        train(recipe, data.split("train"), data.split("validation"), out)
        return load_file(out / "teachers.safetensors")["log_probabilities"]

    said = trained()
    (teacher,), images = teachers_of(recipe, CLASSES), torch.tensor(data.split("train").images)[:, None].float() / 255
    with torch.no_grad():
        plain, mirrored = (teacher(each)[1].log_softmax(dim=1) for each in (images, images.flip(-1)))
    assert said.dtype == torch.float16
    torch.testing.assert_close(said.float(), (plain + mirrored) / 2, atol=0.01, rtol=0.01)

    (out / "run.json").unlink()
    save_file({"log_probabilities": -said}, out / "teachers.safetensors")
    assert torch.equal(trained(), -said), "a run that goes on asks again"
    (out / "run.json").unlink()
    shutil.rmtree(out / "checkpoints")
    torch.testing.assert_close(trained(), said, atol=0.01, rtol=0, msg="a new run learns what an older one was told")


def test_what_no_run_can_give_is_refused(finished, tmp_path):
    recognizer, folder = finished
    with pytest.raises(RecipeError, match="go together"):
        TINY.override({"teachers": [str(folder)]})
    with pytest.raises(RecipeError, match="go together"):
        TINY.override(TAUGHT)
    with pytest.raises(StorageError, match="small"):
        start_of(TINY.override({"start": str(tmp_path / "nothing")}), CLASSES)
    with pytest.raises(
        RecipeError, match="first run `ferembed train DATA --recipe teacher-deep --out runs/teacher-deep`"
    ):
        start_of(TINY.override({"start": "runs/teacher-deep"}), CLASSES)
    narrower = TINY.override({"encoder.embedding_dim": 8})
    with pytest.raises(RecipeError, match="other layers"):
        make_learner(narrower, faces(), start=trained_network(recognizer, CLASSES))
    taught = TINY.override({**TAUGHT, "teachers": [str(folder)]})
    with pytest.raises(RecipeError, match="another size"):
        teachers_of(taught.override({"encoder.image_size": 48}), CLASSES)
    with pytest.raises(RecipeError, match="even, odd"):
        teachers_of(taught, ("even", "odd"))


def with_votes(data):
    """Votes that know three classes of faces: even labels, odd labels, and both at once; of the first face, nothing."""
    votes = np.zeros((len(data), 2), np.float32)
    votes[np.arange(len(data)), data.labels % 2] = 1
    votes[data.labels == 4] = 0.5
    votes[0] = 0
    return replace(data, votes=votes, vote_classes=("even", "odd"))


def test_labels_can_be_the_votes_and_are_judged_as_they_were_learnt(tmp_path):
    recipe = TINY.override({"labels": "votes", "losses": [{"name": "cross_entropy"}]})
    data = with_votes(faces())
    recognizer = train(recipe, data.split("train"), data.split("validation"), tmp_path / "votes")
    assert recognizer.classes_.tolist() == ["even", "odd"]
    judged = data.split("train")
    usable = int((judged.votes.sum(axis=1) > 0).sum())
    assert evaluate(recognizer, judged, resamples=0).images == usable == len(judged) - 1


def test_one_network_answers_in_the_words_of_its_labels_and_in_those_of_annotators(tmp_path):
    losses = [{"name": "cross_entropy"}, {"name": "soft_cross_entropy"}]
    recipe, data = TINY.override({"losses": losses, "gallery_refinement": 0.4}), with_votes(faces())
    said = train(recipe, data.split("train"), data.split("validation"), tmp_path)
    voting, seen = load(tmp_path / VOTING), ferplus_labels(data.split("train"))
    assert tuple(voting.classes_) == ("even", "odd")
    torch.testing.assert_close(voting.encoder.state_dict(), said.encoder.state_dict())
    head = best_weights(tmp_path)["network.vote.weight"]
    learnt = torch.from_numpy(voting.trained_head[0].coef_).float()
    torch.testing.assert_close(torch.nn.functional.normalize(learnt, dim=1), torch.nn.functional.normalize(head, dim=1))
    np.testing.assert_allclose(voting.voters["knn"].estimator_.gallery_.votes, seen.votes)
    assert evaluate(voting, data.split("validation"), resamples=0).images == len(
        ferplus_labels(data.split("validation"))
    )
    train_part = data.split("train")
    refined = refined_targets(train_part.labels, train_part.votes, len(CLASSES), 0.4)
    np.testing.assert_allclose(said.voters["knn"].estimator_.gallery_.votes, refined)
    with pytest.raises(ValueError, match="no head over annotators"):
        trained_network(said, CLASSES).voting()
    plain = faces()
    with pytest.raises(DataError, match="has none"):
        train(
            TINY.override({"gallery_refinement": 0.4}), plain.split("train"), plain.split("validation"), tmp_path / "x"
        )


def test_losses_learn_the_whole_distribution_of_votes():
    from ferembed.training.face_data import FaceData
    from ferembed.training.loaders import RowBatch

    data = with_votes(faces()).split("train")
    plain = FaceData(TINY.override({"labels": "votes"}), data, data)
    batch = plain.train_faces.gather(RowBatch(torch.arange(40), None))
    changed = plain._changed(batch, torch.Generator().manual_seed(0))
    torch.testing.assert_close(changed.targets, torch.tensor(data.votes[:40]))


def test_labels_give_way_to_what_faces_with_such_votes_are_called():
    from ferembed.training.face_data import soft_targets

    data = with_votes(faces()).split("train")
    assert soft_targets(TINY, data) is None
    targets = soft_targets(TINY.override({"refinement": 0.6}), data)
    own = np.eye(len(CLASSES))[data.labels]
    for row in range(len(data)):
        like = np.zeros(len(CLASSES))
        for emotion, share in enumerate(data.votes[row]):
            weights = data.votes[:, emotion]
            like += share * (weights[:, None] * own).sum(axis=0) / weights.sum()
        expected = 0.4 * own[row] + 0.6 * like if data.votes[row].any() else own[row]
        np.testing.assert_allclose(targets[row], expected, atol=1e-5)
    with pytest.raises(RecipeError, match="learnt whole"):
        TINY.override({"refinement": 0.6, "labels": "votes"})
    with pytest.raises(DataError, match="has none"):
        soft_targets(TINY.override({"refinement": 0.6}), faces())
