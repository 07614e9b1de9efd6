"""Maps against known evidence, naive loops and axioms."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from known_evidence import SIDE, spot_faces, spot_recognizer
from PIL import Image
from torch.nn.modules.module import register_module_forward_hook

from ferembed import Encoder, KNNClassifier, Recognizer, explain_class, explain_similarity, load
from ferembed.data import DataError
from ferembed.explain import METHODS, methods
from ferembed.explain._layers import folded
from ferembed.explain._voting import vote
from ferembed.models import Network

CORNERS = [(4, 30), (33, 9), (20, 20)]


def mass_in_spot(maps, corners, margin):
    """Share of each map's sum that lies in the spot, widened by ``margin`` pixels."""
    shares = []
    for each, (top, left) in zip(maps, corners, strict=True):
        inside = each[max(0, top - margin) : top + SIDE + margin, max(0, left - margin) : left + SIDE + margin]
        shares.append(inside.sum() / each.sum())
    return np.array(shares)


def little_noise(method):
    """So little that the dim background never looks like a spot."""
    return {"noise": 0.03} if method == "smoothgrad" else {}


@pytest.mark.parametrize("voter", ["vote", "softmax", "knn"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_only_evidence(method, channels, voter):
    faces, parameters = spot_faces(CORNERS, channels), little_noise(method)
    saliency = explain_class(spot_recognizer(channels), faces, method, voter=voter, **parameters)
    assert saliency.predicted.tolist() == ["spot"] * 3
    assert saliency.maps.shape == (3, 48, 48)
    assert saliency.maps.dtype == np.float32
    assert saliency.maps.min() >= 0
    np.testing.assert_allclose(saliency.maps.max(axis=(1, 2)), 1, atol=1e-6)
    # A patch that only touches the spot covers pixels up to 7 away from it.
    assert mass_in_spot(saliency.maps, CORNERS, margin=7 if method == "occlusion" else 0).min() > 0.99
    assert (saliency.raw[0, 4:12, 30:38] > 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_similarity_shows_the_common_evidence_on_either_face(method):
    a, b = spot_faces(CORNERS[:2]), spot_faces(CORNERS[2:], spot=1.0)
    pairs = explain_similarity(spot_recognizer(), a, b, method, **little_noise(method))
    margin = 7 if method == "occlusion" else 0
    assert len(pairs) == 2
    assert mass_in_spot(pairs.maps_a, CORNERS[:2], margin).min() > 0.99
    if method == "gradcam":  # less of the brighter spot would make the faces more alike: nothing there is support
        assert (pairs.raw_b[0, 20:28, 20:28] < 0).all()
    else:
        assert mass_in_spot(np.abs(pairs.raw_b), CORNERS[2:] * 2, margin).min() > 0.99


def test_occlusion_is_that_of_a_naive_loop(small, drawn, monkeypatch):
    monkeypatch.setattr(methods, "ROWS", 50)  # fewer than there are positions
    faces = drawn.images[:3]
    for voter in ("vote", "knn"):
        saliency = explain_class(small, faces, patch=10, stride=4, fill=0.25, target="sad", voter=voter)
        column = small.classes_.tolist().index("sad")
        for row, face in enumerate(faces):
            total, count = np.zeros((48, 48)), np.zeros((48, 48))
            for top in range(0, 48 - 10 + 4, 4):
                for left in range(0, 48 - 10 + 4, 4):
                    covered = face.astype(np.float32) / 255
                    window = np.s_[top : top + 10, left : left + 10]
                    covered[window] = 0.25
                    proba = small.voters[voter].predict_proba(small.encode(covered))
                    total[window] += 1 - proba[0, column]
                    count[window] += 1
            expected = total / count
            np.testing.assert_allclose(saliency.raw[row] + 1 - saliency.probability[row], expected, atol=1e-5)
            stretched = (expected - expected.min()) / (expected.max() - expected.min())
            np.testing.assert_allclose(saliency.maps[row], stretched, atol=2e-2 if voter == "knn" else 2e-3)


@pytest.mark.parametrize("voter", ["softmax", "knn"])
def test_integrated_gradients_add_up(small, drawn, voter):
    """The whole gallery votes, so that no neighbour gives way to another."""
    knn = KNNClassifier(len(small.gallery_ids), temperature=0.2).fit(small.gallery_embeddings, small.gallery_labels)
    voters = {"softmax": small.voters["softmax"], "knn": knn}
    everyone = SimpleNamespace(engine=small.engine, classes_=knn.classes_, voters=voters)
    if voter == "softmax":
        everyone.classes_ = small.classes_
    faces = drawn.images[:4]
    saliency = explain_class(everyone, faces, "integrated_gradients", steps=500, fill=0.25, voter=voter)
    codes = [everyone.classes_.tolist().index(name) for name in saliency.target]
    grey = voters[voter].predict_proba(small.encode(np.full((1, 48, 48), 0.25, np.float32)))[0, codes]
    gained = saliency.probability - grey
    assert np.abs(gained).max() > 0.05
    np.testing.assert_allclose(saliency.raw.sum(axis=(1, 2)), gained, atol=5e-3)


@pytest.mark.parametrize("voter", ["softmax", "vote"])
@pytest.mark.parametrize("method", METHODS)
def test_the_shipped_recogniser_can_be_explained(drawn, method, voter):
    saliency = explain_class(load("small"), drawn.images[:2], method, voter=voter, **fast(method))
    assert (np.ptp(saliency.maps, axis=(1, 2)) > 0.9).all()
    assert np.isfinite(saliency.raw).all()


def test_gradient_is_that_of_finite_differences(drawn):
    torch.manual_seed(0)
    recognizer = spot_recognizer()
    recognizer.engine.encoder = recognizer.engine.encoder.double()
    face = torch.from_numpy(spot_faces(CORNERS[:1])).double()[:, None]
    saliency = explain_class(spot_recognizer(), spot_faces(CORNERS[:1]), "gradient", voter="softmax")
    head = recognizer.voters["softmax"]

    def proba(pixels):
        return head.predict_proba(recognizer.engine.encoder(pixels).detach().numpy())[0, 0]

    for row, column in [(5, 31), (11, 37), (40, 40)]:
        step = torch.zeros_like(face)
        step[0, 0, row, column] = 1e-4
        slope = (proba(face + step) - proba(face - step)) / 2e-4
        assert saliency.raw[0, row, column] == pytest.approx(slope, rel=1e-3, abs=1e-9)


def test_smoothgrad_is_drawn_from_its_seed_and_leaves_torchs_alone(small, drawn):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    maps = [explain_class(small, drawn.images[:2], "smoothgrad", seed=seed).maps for seed in (0, 0, 1)]
    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_array_equal(maps[0], maps[1])
    assert np.abs(maps[0] - maps[2]).max() > 0.01


def test_smoothgrad_with_little_noise_is_the_gradient(small, drawn):
    rough = explain_class(small, drawn.images[:2], "gradient", voter="softmax")
    smooth = explain_class(small, drawn.images[:2], "smoothgrad", noise=1e-6, samples=2, voter="softmax")
    np.testing.assert_allclose(smooth.raw, rough.raw, atol=5e-3 * np.abs(rough.raw).max())


@pytest.mark.parametrize("method", METHODS)
def test_faces_are_explained_alone(small, drawn, method):
    together = explain_class(small, drawn.images[:10], method, voter="softmax", **fast(method))
    for row in (0, 9):
        alone = explain_class(small, drawn.images[row], method, voter="softmax", **fast(method))
        if method != "smoothgrad":  # the noise of a face hangs on its place in the batch
            np.testing.assert_allclose(alone.maps[0], together.maps[row], atol=5e-3)
        assert alone.target[0] == together.target[row]


def fast(method):
    return {"occlusion": {"stride": 8}, "smoothgrad": {"samples": 2}, "integrated_gradients": {"steps": 4}}.get(
        method, {}
    )


def test_prediction_and_probability_are_the_recognisers(small, drawn):
    faces = drawn.images[:9]
    saliency = explain_class(small, faces, "gradient")
    np.testing.assert_array_equal(saliency.predicted, small.predict(faces))
    np.testing.assert_allclose(saliency.probability, small.predict_proba(faces).max(axis=1), atol=1e-6)
    named = explain_class(small, faces, "gradient", target=["happy"] * 4 + ["sad"] * 5)
    assert named.target.tolist() == ["happy"] * 4 + ["sad"] * 5
    np.testing.assert_array_equal(named.predicted, saliency.predicted)


def test_torch_follows_the_voters_of_a_recogniser(small, drawn):
    embeddings = small.encode(drawn.images)
    for voter in small.voters.values():
        found = vote(voter, torch.from_numpy(embeddings)).numpy()
        np.testing.assert_allclose(found, voter.predict_proba(embeddings), atol=1e-5)


def test_takes_whatever_predict_takes(small, drawn, tmp_path):
    face = drawn.images[0]
    Image.fromarray(face).save(tmp_path / "face.png")
    expected = explain_class(small, face, "gradcam").maps
    assert expected.shape == (1, 48, 48)
    for same in (face[None], [face], Image.fromarray(face), tmp_path / "face.png", face.astype(np.float32) / 255):
        np.testing.assert_allclose(explain_class(small, same, "gradcam").maps, expected, atol=1e-5)
    colour = explain_class(small, np.repeat(face[..., None], 3, axis=2), "gradcam")
    np.testing.assert_allclose(colour.maps, expected, atol=1e-3)
    with pytest.raises(DataError, match="floats must lie in"):
        explain_class(small, face.astype(np.float32))


def test_an_encoder_that_sees_colour(drawn):
    encoder = Encoder("resnet18", embedding_dim=8, channels=3, backbone_args={"channels": (8, 8, 8, 8)})
    recognizer = Recognizer.build(Network(encoder), drawn.split("train"), drawn.split("validation"))
    for method in METHODS:
        saliency = explain_class(recognizer, drawn.images[:2], method, **fast(method))
        assert saliency.maps.shape == (2, 48, 48)
        assert saliency.images.shape == (2, 48, 48, 3)


def test_no_faces(small):
    nothing = np.empty((0, 48, 48), np.uint8)
    for method in METHODS:
        assert explain_class(small, nothing, method).maps.shape == (0, 48, 48)
        assert explain_similarity(small, nothing, nothing, method).maps_b.shape == (0, 48, 48)


def test_a_vote_of_equals_has_no_gradient_but_an_occlusion_map():
    recognizer = spot_recognizer(weights="uniform")
    recognizer.voters["knn"] = KNNClassifier(15, weights="uniform").fit(
        recognizer.voters["knn"].index_.reconstruct(np.arange(60)), np.repeat([1, 0], 30)
    )
    faces = spot_faces(CORNERS)
    with pytest.raises(ValueError, match="'knn' has no gradient.*occlusion"):
        explain_class(recognizer, faces, "gradient", voter="knn")
    occluded = explain_class(recognizer, faces, voter="knn")
    assert mass_in_spot(occluded.maps, CORNERS, margin=7).min() > 0.99


def test_gradcam_looks_at_the_deepest_layer_of_use(small, drawn):
    default = explain_class(small, drawn.images[:2], "gradcam").raw
    np.testing.assert_array_equal(
        default, explain_class(small, drawn.images[:2], "gradcam", layer="backbone.layer3").raw
    )
    shallower = explain_class(small, drawn.images[:2], "gradcam", layer="backbone.layer1").raw
    assert np.abs(default - shallower).max() > 0


def test_gradcam_is_its_formula(small, drawn):
    encoder, face = small.encoder, torch.from_numpy(drawn.images[:1].copy())[:, None].float() / 255
    kept = {}
    handle = encoder.backbone.layer3.register_forward_hook(lambda _, __, output: kept.update(map=output))
    embedding = encoder(face)
    handle.remove()
    proba = vote(small.voters["softmax"], embedding)
    (slopes,) = torch.autograd.grad(proba[0].max(), kept["map"])
    coarse = (slopes.mean(dim=(2, 3), keepdim=True) * kept["map"]).sum(dim=1, keepdim=True)
    expected = torch.nn.functional.interpolate(coarse, (48, 48), mode="bilinear")[0, 0].detach().numpy()
    found = explain_class(small, drawn.images[:1], "gradcam", voter="softmax")
    np.testing.assert_allclose(found.raw[0], expected, rtol=1e-3, atol=1e-7)


def explain_with_themselves(recognizer, faces, *rest, **named):
    return explain_similarity(recognizer, faces, faces, *rest, **named)


@pytest.mark.parametrize("call", [explain_class, explain_with_themselves])
def test_what_is_wrong_is_said(small, drawn, call):
    faces = drawn.images[:2]
    with pytest.raises(ValueError, match="no saliency method 'lime': choose from occlusion, gradient, smoothgrad"):
        call(small, faces, "lime")
    with pytest.raises(TypeError, match="occlusion has no parameter 'steps'; it has patch, stride, fill"):
        call(small, faces, steps=3)
    with pytest.raises(ValueError, match="patch must be from 1 to the 48 pixels"):
        call(small, faces, patch=49)
    with pytest.raises(ValueError, match="stride must be from 1 to the patch's 4 pixels"):
        call(small, faces, patch=4, stride=5)
    with pytest.raises(ValueError, match="fill is a grey value from 0 to 1, not 128"):
        call(small, faces, fill=128)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        call(small, faces, "integrated_gradients", steps=0)
    with pytest.raises(ValueError, match="noise above 0"):
        call(small, faces, "smoothgrad", noise=-1)
    with pytest.raises(ValueError, match=r"'backbone.fc' is no layer .* backbone.layer4"):
        call(small, faces, "gradcam", layer="backbone.fc")


def test_wrong_targets_voters_and_pairs(small, drawn):
    faces = drawn.images[:3]
    with pytest.raises(ValueError, match="no class 'bored': choose from angry, disgust"):
        explain_class(small, faces, target="bored")
    with pytest.raises(ValueError, match="one for each of the 3 faces"):
        explain_class(small, faces, target=["happy", "sad"])
    with pytest.raises(ValueError, match="no voter 'svm': choose from softmax, knn, vote"):
        explain_class(small, faces, voter="svm")
    with pytest.raises(ValueError, match="a has 2 faces and b 3"):
        explain_similarity(small, faces[:2], faces)


def test_torch_keeps_its_threads(small, drawn):
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        explain_class(small, drawn.images[:1], "gradient")
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(("backbone", "all_fold"), [("resnet10t", True), ("mobilenetv3_small_050", False)])
def test_folded_norms_change_no_embedding(backbone, all_fold):
    """In the second network each norm is also the activation after it, and must stay."""
    torch.manual_seed(0)
    encoder = Encoder(backbone, 8).eval()
    norms = [each for each in encoder.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        torch.nn.init.uniform_(norm.weight, 0.5, 2)
        torch.nn.init.normal_(norm.bias)
    faces, before = torch.rand(5, 1, 48, 48), {name: value.clone() for name, value in encoder.state_dict().items()}
    lean = folded(encoder, faces[:1])
    torch.testing.assert_close(lean(faces), encoder(faces), atol=1e-4, rtol=1e-4)
    left = sum(isinstance(each, torch.nn.BatchNorm2d) for each in lean.modules())
    assert left == (0 if all_fold else len(norms))
    assert norms
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())


def test_an_occlusion_map_asks_the_encoder_about_64_covered_faces_at_a_time(small, drawn):
    asked = []

    def note(module, inputs, _output):
        if isinstance(module, Encoder):
            asked.append(len(inputs[0]))

    hook = register_module_forward_hook(note)
    try:
        explain_class(small, drawn.images[0], patch=8, stride=2)
    finally:
        hook.remove()
    covered = [count for count in asked if count > 1]
    assert sum(covered) == 21 * 21
    assert len(covered) == 7
    assert len(asked) - len(covered) <= 4  # the face itself, and looks at the layers
