"""The library's own classifiers in its own ensembles, and rejection on top."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.frozen import FrozenEstimator

from ferembed.estimators import KNNClassifier, OpenSet, RejectOption, SoftmaxHead, StackingEnsemble, VotingEnsemble
from ferembed.evaluation import auroc, evaluate_probabilities
from ferembed.labels import FER2013_CLASSES


@pytest.fixture(scope="module")
def embeddings():
    X, y = make_blobs(2100, centers=7, n_features=16, cluster_std=10.0, random_state=0)
    return X, np.array(FER2013_CLASSES)[y]


@pytest.fixture(scope="module")
def members(embeddings):
    X, names = embeddings
    return {"knn": KNNClassifier().fit(X[:700], names[:700]), "softmax": SoftmaxHead(C=0.01).fit(X[:700], names[:700])}


@pytest.mark.parametrize("kind", [VotingEnsemble, StackingEnsemble])
def test_neighbours_and_softmax_vote_together(tmp_path, embeddings, members, kind):
    X, names = embeddings
    frozen = [(name, FrozenEstimator(member)) for name, member in members.items()]
    vote = kind(frozen).fit(X[700:1400], names[700:1400])
    joint = evaluate_probabilities(names[1400:], vote.predict_proba(X[1400:]), vote.classes_)
    alone = [evaluate_probabilities(names[1400:], m.predict_proba(X[1400:]), m.classes_) for m in members.values()]
    assert joint.nll < min(m.nll for m in alone)
    assert joint.ece < max(m.ece for m in alone)
    assert joint.accuracy > 0.7
    vote.save(tmp_path / "vote")
    for name, member in members.items():
        member.save(tmp_path / name)
    again = {name: type(member).load(tmp_path / name) for name, member in members.items()}
    loaded = kind.load(tmp_path / "vote", again).predict_proba(X[1400:])
    np.testing.assert_allclose(loaded, vote.predict_proba(X[1400:]), atol=1e-6)


def test_a_vote_may_be_rejected_and_strangers_told(embeddings, members):
    X, names = embeddings
    vote = VotingEnsemble([(name, FrozenEstimator(member)) for name, member in members.items()])
    careful = RejectOption(FrozenEstimator(vote.fit(X[700:1100], names[700:1100])), 0.03).fit(
        X[1100:1400], names[1100:1400]
    )
    said = careful.predict(X[1400:])
    assert ((said != names[1400:]) & (said != "unknown")).mean() <= 0.03 + 0.03
    guard = OpenSet(FrozenEstimator(members["knn"])).fit(X[700:1400], names[700:1400])
    strangers = np.random.default_rng(0).normal(0, 30, (300, 16))
    assert (guard.predict(X[1400:]) == "unknown").mean() < 0.1
    assert auroc(guard.score_samples(X[1400:]), guard.score_samples(strangers)) > 0.8
