"""What reaches the losses: mixed targets, Siamese twins, and negatives that the network itself finds hard."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import one_hot

from ferembed import train
from ferembed.losses import CombinedLoss, Contrastive, CrossEntropy, Outputs, SupCon
from ferembed.training.augmentation import AugmentConfig
from ferembed.training.batches import PairBatches
from ferembed.training.callbacks.hard_negatives import MineHardNegatives
from ferembed.training.face_data import FaceData
from ferembed.training.loaders import RowBatch

sys.path.insert(0, str(Path(__file__).parent))
from test_fit import TINY, curve, faces

MIXED = TINY.override({"augment": {**AugmentConfig.none().model_dump(), "mixup": 1.0}, "epochs": 1})
HARD = TINY.override({"losses": [{"name": "contrastive"}], "batches.kind": "pairs", "batches.hard_share": 1.0})


@pytest.fixture
def seen(monkeypatch):
    """The outputs that reached the losses of a run, step by step."""
    outputs, forward = [], CombinedLoss.forward
    monkeypatch.setattr(CombinedLoss, "forward", lambda self, given: (outputs.append(given), forward(self, given))[1])
    return outputs


def run(recipe, out, data=None):
    data = data or faces()
    return train(recipe, data.split("train"), data.split("validation"), out)


def test_mixed_images_come_with_mixed_targets_votes_and_answers_of_teachers():
    rng = np.random.default_rng(0)
    data = faces().split("train")
    votes = rng.dirichlet(np.ones(3), len(data)).astype(np.float32)
    votes[:20] = 0
    data = replace(data, votes=votes, vote_classes=("a", "b", "c"))
    loaded = FaceData(MIXED, data, data)
    answers = torch.from_numpy(rng.dirichlet(np.ones(7), len(data))).float()
    loaded.train_faces.learn(answers.log())
    plain = loaded.train_faces.gather(RowBatch(torch.arange(64), None))
    mixed = loaded._changed(plain, torch.Generator().manual_seed(0))
    # Each row is a share of itself and the rest of one other: found anew from the pixels alone.
    pixels = (plain.images.float() / 255).flatten(1).double()
    known = one_hot(plain.labels, 7).double()
    for row, image in enumerate(mixed.images.flatten(1).double()):
        away, target = pixels - pixels[row], image - pixels[row]
        shares = (away @ target) / away.square().sum(dim=1).clamp(min=1e-9)
        misfit = (shares[:, None] * away - target).square().sum(dim=1)
        partner = int(misfit.argmin())
        share = float(shares[partner])
        assert misfit[partner] < 1e-6
        assert -1e-6 <= share <= 0.5 + 1e-6
        torch.testing.assert_close(
            mixed.targets[row].double(), (1 - share) * known[row] + share * known[partner], atol=1e-4, rtol=0
        )
        expected = (1 - share) * plain.votes[row] + share * plain.votes[partner]
        torch.testing.assert_close(mixed.votes[row], expected.float(), atol=1e-4, rtol=0)
        expected = (1 - share) * answers[row] + share * answers[partner]
        torch.testing.assert_close(mixed.taught[row].exp(), expected.float(), atol=1e-4, rtol=0)
    assert torch.equal(mixed.labels, plain.labels)


def test_what_teachers_said_of_a_face_reaches_the_losses_with_that_face(tmp_path, seen):
    data = faces()
    teacher = tmp_path / "teacher"
    run(TINY.override({"epochs": 1}), teacher)
    distillation = {"name": "distillation", "teachers_see": "faces"}
    changes = {"losses": [distillation], "teachers": [str(teacher)], "augment": AugmentConfig.none().model_dump()}
    seen.clear()
    run(TINY.override({**changes, "epochs": 1}), tmp_path / "pupil")
    said = load_file(tmp_path / "pupil" / "teachers.safetensors")["log_probabilities"].float()
    labels = torch.tensor(data.split("train").labels)
    for outputs in seen:
        rows = (outputs.teacher_logits[:, None] == said).all(dim=2).long().argmax(dim=1)
        assert torch.equal(outputs.teacher_logits, said[rows])
        assert torch.equal(outputs.labels, labels[rows])
    assert len(seen) == 6


def test_a_mixup_run_gives_its_targets_to_every_loss(tmp_path, seen):
    run(MIXED, tmp_path / "run")
    assert len(seen) == 6
    for outputs in seen:
        np.testing.assert_allclose(outputs.targets.sum(dim=1), 1, atol=1e-5)
        assert (outputs.targets.gather(1, outputs.labels[:, None]) >= 0.5 - 1e-6).all()
        assert ((outputs.targets > 0).sum(dim=1) == 2).any()
        for spec in (CrossEntropy(), SupCon()):
            loss = spec.build(num_classes=7, embedding_dim=16)
            assert loss(outputs) != loss(replace(outputs, targets=None))
    assert curve(tmp_path / "run")[0] == pytest.approx(
        np.mean([float(total(outputs)) for outputs in list(seen)]), rel=1e-4
    )


def total(outputs):
    loss = CombinedLoss(MIXED.losses, num_classes=7, embedding_dim=16)
    return loss(outputs)[0].detach()


def test_without_mixup_there_are_no_targets(tmp_path, seen):
    run(TINY.override({"epochs": 1}), tmp_path / "run")
    assert all(outputs.targets is None for outputs in seen)


def test_the_contrastive_loss_compares_the_pairs_that_the_sampler_made(tmp_path, seen):
    run(HARD.override({"epochs": 1, "batches.positive_share": 0.25}), tmp_path / "run")
    loss = Contrastive(pairs="twins").build(num_classes=7, embedding_dim=16)
    for outputs in seen:
        same = outputs.labels[0::2] == outputs.labels[1::2]
        assert same.sum() == 4
        terms = []
        for a, b, like in zip(outputs.embeddings[0::2], outputs.embeddings[1::2], same, strict=True):
            distance = float((a - b).norm().detach())
            terms.append(distance**2 / 2 if like else max(0.0, 1 - distance) ** 2 / 2)
        assert float(loss(outputs).detach()) == pytest.approx(np.mean(terms), rel=1e-4)
        shuffled = torch.arange(32).view(16, 2)[torch.randperm(16)].flatten()
        again = Outputs(outputs.embeddings[shuffled], outputs.labels[shuffled])
        assert float(loss(again).detach()) == pytest.approx(float(loss(outputs).detach()), rel=1e-5)


def test_negatives_after_the_first_epoch_are_the_nearest_of_other_classes(tmp_path, monkeypatch):
    found, mine = [], MineHardNegatives.on_train_epoch_end

    def watched(self, trainer, module):
        mine(self, trainer, module)
        with torch.no_grad():
            batches = trainer.datamodule.training_faces(module.device)
            encoder = module.network.encoder
            assert encoder.training
            vectors = torch.cat([encoder.eval()(batch.images) for batch in batches])
            encoder.train()
        found.append((vectors.numpy(), trainer.train_dataloader.sampler))

    monkeypatch.setattr(MineHardNegatives, "on_train_epoch_end", watched)
    run(HARD.override({"epochs": 2}), tmp_path / "run")
    vectors, sampler = found[0]
    assert isinstance(sampler, PairBatches)
    labels = sampler.labels
    for row, candidates in enumerate(sampler._hard):
        others = np.flatnonzero(labels != labels[row])
        similarity = vectors[others] @ vectors[row]
        tenth = np.sort(similarity)[-10]
        assert len(set(candidates)) == 10
        assert (labels[candidates] != labels[row]).all()
        assert ((vectors[candidates] @ vectors[row]) >= tenth - 1e-5).all()
    sampler.set_epoch(1)
    for rows in sampler:
        for first, second in rows.reshape(-1, 2):
            assert labels[first] == labels[second] or second in sampler._hard[first]
