import numpy as np
import pytest
import torch

from ferembed.models import Encoder, Network
from ferembed.models.network import CosineHead
from ferembed.recognizer.inputs import prepare_images


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("stem", ["standard", "small", "small-pool", "small-stride"])
@pytest.mark.parametrize("backbone", ["resnet10t", "mobilenetv3_small_050"])
def test_embeddings_are_unit_vectors(backbone, stem, channels):
    encoder = Encoder(backbone, 32, channels=channels, stem=stem).eval()
    out = encoder(torch.rand(3, channels, 48, 48))
    assert out.shape == (3, 32)
    torch.testing.assert_close(out.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_backbone_sees_channels_last(channels):
    """In grey images both orders of memory look alike, and convolutions fall back to the one that pools slowly."""
    encoder, seen = Encoder("resnet10t", 8, channels=channels).eval(), []
    encoder.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    encoder.backbone.conv1.register_forward_hook(lambda _, __, output: seen.append(output))
    with torch.inference_mode():
        encoder(torch.rand(2, channels, 48, 48))
    for images in seen:
        assert images.stride(1) == 1
    assert len(seen) == 2


@pytest.mark.parametrize(("channels", "layout"), [((8, 16, 24, 32), "contiguous"), ((16, 32, 48, 64), "channels_last")])
def test_narrow_backbones_keep_off_the_layout_in_which_they_crash(channels, layout):
    wanted = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}[layout]
    for colours in (1, 3):
        encoder = Encoder("resnet18", 8, channels=colours, backbone_args={"channels": channels})
        seen = []
        encoder.backbone.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
        encoder(torch.rand(2, colours, 48, 48)).sum().backward()
        assert encoder.memory_format == wanted
        assert (seen[0].stride(1) == 1) == (wanted is torch.channels_last)


def last_map(encoder):
    return encoder.backbone.forward_features(torch.zeros(1, 1, 48, 48)).shape[-1]


def test_the_small_stem_keeps_resolution():
    stems = ("standard", "small-pool", "small-stride", "small")
    sides = [last_map(Encoder("resnet18", stem=stem).eval()) for stem in stems]
    assert sides == [2, 3, 3, 6]


def test_the_stem_says_where_it_cannot_go():
    with pytest.raises(ValueError, match="no sliding first convolution"):
        Encoder("vit_tiny_patch16_224", stem="small", image_size=48)
    with pytest.raises(ValueError, match="RepVGG|ByobNet"):
        Encoder("repvgg_a0", stem="small")


def test_a_patch_transformer_works_with_its_own_stem():
    out = Encoder("vit_tiny_patch16_224", stem="standard").eval()(torch.rand(2, 1, 48, 48))
    assert out.shape == (2, 128)


def test_an_unknown_backbone_lists_near_names():
    with pytest.raises(ValueError, match="no model named 'resnet19'.*resnet"):
        Encoder("resnet19")


def test_config_rebuilds_the_encoder():
    encoder = Encoder("resnet18", 16, backbone_args={"channels": (8, 16, 32, 64)}).eval()
    twin = Encoder(**encoder.config).eval()
    twin.load_state_dict(encoder.state_dict())
    images = torch.rand(2, 1, 48, 48)
    torch.testing.assert_close(twin(images), encoder(images))


def test_the_default_small_model_has_less_than_3_million_parameters():
    encoder = Encoder("resnet18", backbone_args={"channels": (32, 64, 128, 256)})
    assert sum(p.numel() for p in encoder.parameters()) < 3_000_000


def test_the_cosine_head_is_its_coef():
    head = CosineHead(8, 3)
    z = torch.nn.functional.normalize(torch.randn(5, 8), dim=1)
    torch.testing.assert_close(head(z), z @ head.coef.T)
    torch.testing.assert_close(head.coef.norm(dim=1), torch.full((3,), 10.0))


def test_heads_are_there_only_when_asked_for():
    encoder = Encoder("resnet10t", 16, stem="standard").eval()
    images = torch.rand(2, 1, 48, 48)
    assert Network(encoder).eval()(images)[1:] == (None, None)
    _, logits, votes = Network(encoder, 7, 8).eval()(images)
    assert (logits.shape, votes.shape) == ((2, 7), (2, 8))


@pytest.mark.parametrize("size", [24, 40])
def test_faces_are_scaled_as_the_reader_of_images_scales_them(size):
    encoder = Encoder("resnet10t", 8, 32, stem="standard").eval()
    # Smooth, as faces are: bilinear kernels differ by rounding on noise alone.
    y, x = np.mgrid[0:size, 0:size] / size
    image = (127 + 100 * np.sin(6 * x) * np.cos(4 * y)).astype(np.uint8)
    inside = encoder(torch.from_numpy(image)[None, None] / 255)
    outside = encoder(torch.from_numpy(prepare_images(image, size=32, channels=1)))
    torch.testing.assert_close(inside, outside, atol=1e-3, rtol=0)
