"""Augmentation: exact where a change is exact, within its stated range where it is random, and made at once."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.utils._python_dispatch import TorchDispatchMode

from ferembed.training.augmentation import AugmentConfig, Mix, augment, mixup

NONE = AugmentConfig.none()


def only(**changes):
    return AugmentConfig(**{**NONE.model_dump(), **changes})


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_images(n=16, channels=1, h=48, w=48, seed=0):
    return torch.randint(0, 256, (n, channels, h, w), dtype=torch.uint8, generator=generator(seed))


def smooth_images(n=64, h=48, w=48):
    """The same soft blob off the centre in every image, so that resampling loses little."""
    y, x = torch.meshgrid(torch.arange(h) - h / 2 + 0.5, torch.arange(w) - w / 2 + 0.5, indexing="ij")
    blob = 200 * torch.exp(-((x - 8) ** 2 + (y - 3) ** 2) / 18)
    return blob.round().to(torch.uint8).expand(n, 1, h, w).contiguous()


def centroids(images):
    """Centre of mass of each image in pixels from its middle, (n, 2) as x, y."""
    h, w = images.shape[-2:]
    mass = images.sum(dim=(1, 2, 3))
    x = (images.sum(dim=(1, 2)) * (torch.arange(w) - w / 2 + 0.5)).sum(dim=1) / mass
    y = (images.sum(dim=(1, 3)) * (torch.arange(h) - h / 2 + 0.5)).sum(dim=1) / mass
    return torch.stack([x, y], dim=1)


def test_no_change_is_the_exact_image():
    images = random_images()
    assert torch.equal(augment(images, NONE, generator()), images.float() / 255)


@pytest.mark.parametrize("shape", [(4, 48, 48), (4, 1, 48, 48), (4, 3, 48, 48), (4, 1, 40, 64), (0, 1, 48, 48)])
def test_shape_type_and_range(shape):
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    everything = AugmentConfig(crop=4, saturation=0.5, cutout=12, noise=0.2, brightness=1, contrast=1, erasing=1)
    result = augment(images, everything, generator())
    assert result.shape == (shape[0], 3 if shape[1] == 3 else 1, *shape[-2:])
    assert result.dtype == torch.float32
    assert ((result >= 0) & (result <= 1)).all()


@pytest.mark.parametrize("images", [torch.rand(4, 48, 48), torch.zeros(48, 48).byte(), torch.zeros(4, 2, 8, 8).byte()])
def test_other_images_are_refused(images):
    with pytest.raises(ValueError, match=r"images must be uint8 of shape .* not (float32|uint8) of shape"):
        augment(images, AugmentConfig(), generator())


def test_the_generator_decides_everything():
    images, config = random_images(), AugmentConfig(noise=0.1, cutout=8)
    torch.manual_seed(1)
    first = augment(images, config, generator(3))
    torch.manual_seed(2)
    assert torch.equal(augment(images, config, generator(3)), first)
    assert not torch.equal(augment(images, config, generator(4)), first)


def test_images_have_draws_of_their_own():
    same = random_images(1).expand(8, -1, -1, -1)
    result = augment(same, AugmentConfig(), generator())
    assert len({tuple(image.flatten().tolist()) for image in result}) == 8


def test_switching_one_change_off_leaves_the_others():
    images = random_images(64)
    flipped = augment(images, only(flip=0.5), generator())
    brightened = augment(images, only(flip=0.5, brightness=1e-9, erasing=1e-9), generator())
    assert torch.allclose(flipped, brightened, atol=1e-5)


def test_flip_mirrors_its_share_of_the_images():
    images = random_images(400, h=8, w=8)
    plain = images.float() / 255
    result = augment(images, only(flip=0.3), generator())
    flipped = torch.isclose(result, plain.flip(-1), atol=1e-5).flatten(1).all(dim=1)
    same = torch.isclose(result, plain, atol=1e-5).flatten(1).all(dim=1)
    assert (flipped ^ same).all()
    assert flipped.float().mean().item() == pytest.approx(0.3, abs=0.07)


@pytest.mark.parametrize(("h", "w"), [(48, 48), (40, 64)])
def test_rotation_keeps_its_range_and_the_shape_of_things(h, w):
    images = smooth_images(400, h, w)
    before, after = centroids(images.float())[0], centroids(augment(images, only(degrees=30), generator()))
    turned = torch.rad2deg(torch.atan2(after[:, 1], after[:, 0]) - torch.atan2(before[1], before[0]))
    assert 28 < turned.max() <= 30.5
    assert -30.5 <= turned.min() < -28
    assert torch.allclose(after.norm(dim=1), before.norm(), atol=0.25)  # a circle about the middle, also if not square


def test_magnification_keeps_its_range():
    images = smooth_images(400)
    before, after = centroids(images.float())[0], centroids(augment(images, only(scale=(0.8, 1.2)), generator()))
    zoom = after.norm(dim=1) / before.norm()
    assert 0.78 < zoom.min() < 0.83
    assert 1.17 < zoom.max() < 1.22


@pytest.mark.parametrize(("h", "w"), [(48, 48), (40, 64)])
def test_shift_is_a_fraction_of_each_side(h, w):
    images = smooth_images(400, h, w)
    moved = centroids(augment(images, only(translate=0.1), generator())) - centroids(images.float())[0]
    reach = torch.tensor([0.1 * w, 0.1 * h])
    assert (moved.abs() <= reach + 0.3).all()
    assert (moved.abs().max(dim=0).values > reach - 0.4).all()


def test_random_crop_cuts_whole_pixels_out_of_the_padded_image():
    images = random_images(200, h=10, w=12)
    padded = np.pad(images[:, 0].numpy() / 255, ((0, 0), (2, 2), (2, 2)), mode="edge")
    result = augment(images, only(crop=2), generator())[:, 0].numpy()
    places = [(top, left) for top in range(5) for left in range(5)]
    met = set()
    for image, source in zip(result, padded, strict=True):
        hits = [p for p in places if np.allclose(image, source[p[0] : p[0] + 10, p[1] : p[1] + 12], atol=1e-4)]
        assert len(hits) == 1
        met.update(hits)
    assert met == set(places)


def test_brightness_and_contrast_are_factors():
    images = (random_images(300) // 4 + 96).to(torch.uint8)  # far from black and white, so nothing is clipped
    plain = images.float() / 255
    bright = augment(images, only(brightness=0.3), generator())
    factor = (bright / plain).flatten(1)
    assert (factor.max(dim=1).values - factor.min(dim=1).values).max() < 1e-5
    assert 0.7 <= factor.min() < 0.72
    assert 1.28 < factor.max() <= 1.3001
    contrasted = augment(images, only(contrast=0.3), generator())
    assert torch.allclose(contrasted.mean(dim=(1, 2, 3)), plain.mean(dim=(1, 2, 3)), atol=1e-5)
    spread = contrasted.std(dim=(1, 2, 3)) / plain.std(dim=(1, 2, 3))
    assert 0.7 <= spread.min() < 0.72
    assert 1.28 < spread.max() <= 1.3001


def test_saturation_moves_colours_about_their_grey():
    images = (random_images(64, channels=3) // 4 + 96).to(torch.uint8)
    plain, luma = images.float() / 255, torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    result = augment(images, only(saturation=0.5), generator())
    grey = (plain * luma).sum(dim=1, keepdim=True)
    assert torch.allclose((result * luma).sum(dim=1, keepdim=True), grey, atol=1e-5)
    ratio = (result - grey).flatten(1).norm(dim=1) / (plain - grey).flatten(1).norm(dim=1)
    assert 0.5 <= ratio.min() < 0.6
    assert 1.4 < ratio.max() <= 1.5001
    assert torch.equal(augment(images[:, :1], only(saturation=0.5), generator()), plain[:, :1])


def test_erasing_covers_one_rectangle_of_its_share_of_the_images():
    images = random_images(400)
    changed = augment(images, only(erasing=0.4, erasing_area=(0.05, 0.1)), generator()) != images.float() / 255
    touched = changed.flatten(1).any(dim=1)
    assert touched.float().mean().item() == pytest.approx(0.4, abs=0.07)
    for mask in changed[touched, 0]:
        rows, columns = mask.any(dim=1).nonzero().flatten(), mask.any(dim=0).nonzero().flatten()
        height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        assert mask.sum() >= 0.9 * height * width  # some noise pixels may already have that level
        assert 0.035 <= (height * width / 48**2) <= 0.13


def test_cutout_covers_a_square_with_the_mean():
    images = random_images(300)
    plain = images.float() / 255
    result = augment(images, only(cutout=9), generator())
    covered = result != plain
    assert torch.allclose(result[covered], plain.mean(dim=(1, 2, 3), keepdim=True).expand_as(plain)[covered])
    assert covered.flatten(1).sum(dim=1).max() <= 81
    whole = (covered[:, 0].any(dim=2).sum(dim=1) == 9) & (covered[:, 0].any(dim=1).sum(dim=1) == 9)
    assert 0.5 < whole.float().mean() < 0.9  # centres lie anywhere, so some squares overhang
    assert covered.any(dim=0).all()


def test_noise_has_its_standard_deviation():
    images = torch.full((64, 1, 48, 48), 128, dtype=torch.uint8)
    added = augment(images, only(noise=0.05), generator()) - 128 / 255
    assert added.std().item() == pytest.approx(0.05, rel=0.02)
    assert added.mean().item() == pytest.approx(0, abs=5e-4)


@pytest.mark.parametrize(
    "bad",
    [{"flip": 1.5}, {"scale": (1.2, 0.8)}, {"erasing_area": (0.3, 0.1)}, {"noise": -1}, {"zoom": 2}, {"crop": 0.5}],
)
def test_configurations_out_of_range_name_the_field(bad):
    with pytest.raises(ValidationError, match=next(iter(bad))):
        AugmentConfig(**bad)


def test_every_field_has_its_meaning():
    assert all(field.description for field in AugmentConfig.model_fields.values())


def test_mixup_blends_images_and_targets_alike():
    labels = torch.arange(32) % 5
    images = torch.nn.functional.one_hot(labels, 5).float()[:, :, None, None].expand(-1, -1, 4, 4)
    mixed, targets = mixup(images, labels, 5, 0.7, generator())
    assert torch.allclose(mixed, targets[:, :, None, None].expand_as(mixed))
    assert torch.allclose(targets.sum(dim=1), torch.ones(32))
    assert (targets[torch.arange(32), labels] >= 0.5).all()
    assert (targets.max(dim=1).values < 0.99).any()
    again = mixup(images, labels, 5, 0.7, generator())
    assert torch.equal(again[0], mixed)


def test_mixup_without_alpha_changes_nothing():
    images, labels = torch.rand(8, 1, 4, 4), torch.arange(8) % 3
    mixed, targets = mixup(images, labels, 3, 0.0, generator())
    assert torch.equal(mixed, images)
    assert torch.equal(targets.argmax(dim=1), labels)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_mixup_shares_follow_the_folded_beta_distribution(alpha):
    share = Mix.draw(20000, alpha, generator()).share.numpy()
    drawn = np.random.default_rng(1).beta(alpha, alpha, 200000)
    expected = np.quantile(np.maximum(drawn, 1 - drawn), [0.1, 0.5, 0.9])
    np.testing.assert_allclose(np.quantile(share, [0.1, 0.5, 0.9]), expected, atol=0.012)


class Operations(TorchDispatchMode):
    """Counts what torch is asked to do."""

    count = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.count += 1
        return operation(*args, **(kwargs or {}))


def test_a_large_batch_takes_no_more_operations_than_a_small_one():
    counts = []
    for size in (8, 128):
        with Operations() as operations:
            augment(random_images(size), AugmentConfig(), generator())
        counts.append(operations.count)
    assert counts[0] == counts[1] < 200
