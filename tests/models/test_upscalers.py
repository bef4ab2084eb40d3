"""Upscalers: ESRGAN's family in every layout, and what is said of the others where spandrel is not installed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from graphflow.errors import ModelError, ModelMismatch, UnknownModelFormat
from graphflow.models.detect import detect
from graphflow.models.detectors import spandrel
from graphflow.models.loaders import load_part
from graphflow.models.modules.rrdbnet import RRDBNet, RRDBNetSizes
from graphflow.ports.model import Upscaler

Rename = Callable[[str], str]


def tiny(**sizes: int) -> RRDBNet:
    torch.manual_seed(0)
    return RRDBNet(RRDBNetSizes(**{"features": 8, "growth": 4, "blocks": 2, **sizes})).eval()


def bsrgan(key: str) -> str:
    key = re.sub(r"body\.(\d+)\.rdb(\d)", r"RRDB_trunk.\1.RDB\2", key)
    for new, old in (("conv_body", "trunk_conv"), ("conv_hr", "HRconv"), ("conv_up", "upconv")):
        key = key.replace(new, old) if key.startswith(new) else key
    return key


def esrgan(doublings: int, blocks: int = 2) -> Rename:
    places = {"conv_first": "0", "conv_body": f"1.sub.{blocks}"}
    places |= {f"conv_up{number}": str(3 * number) for number in range(1, doublings + 1)}
    places |= {"conv_hr": str(3 * doublings + 2), "conv_last": str(3 * doublings + 4)}

    def rename(key: str) -> str:
        if (dense := re.fullmatch(r"body\.(\d+)\.rdb(\d)\.conv(\d)\.(\w+)", key)) is not None:
            return "model.1.sub.{}.RDB{}.conv{}.0.{}".format(*dense.groups())
        layer, _, kind = key.partition(".")
        return f"model.{places[layer]}.{kind}"

    return rename


def written(network: RRDBNet, path: Path, rename: Rename = str) -> Path:
    save_file({rename(key): value.contiguous() for key, value in network.state_dict().items()}, path)
    return path


def loaded(path: Path) -> torch.nn.Module:
    return load_part(detect(path), "upscaler", dtype=torch.float32, device=torch.device("cpu"))


def picture() -> Tensor:
    return torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("doublings", [0, 1, 2, 3])
@pytest.mark.parametrize("layout", ["real-esrgan", "bsrgan", "esrgan"])
def test_every_layout_gives_the_same_network(tmp_path: Path, layout: str, doublings: int) -> None:
    network = tiny(doublings=doublings)
    rename = {"real-esrgan": str, "bsrgan": bsrgan, "esrgan": esrgan(doublings)}[layout]
    file = written(network, tmp_path / "up.safetensors", rename)
    recipe = detect(file).parts["upscaler"].recipe
    assert isinstance(recipe, Upscaler)
    assert (recipe.family, recipe.scale) == ("rrdbnet", 2**doublings)
    with torch.no_grad():
        assert torch.equal(loaded(file)(picture()), network(picture()))


@pytest.mark.parametrize(("unshuffle", "scale"), [(1, 4), (2, 2), (4, 1)])
def test_networks_that_unshuffle_have_a_smaller_scale(tmp_path: Path, unshuffle: int, scale: int) -> None:
    network = tiny(unshuffle=unshuffle)
    file = written(network, tmp_path / "up.safetensors")
    recipe = detect(file).parts["upscaler"].recipe
    assert isinstance(recipe, Upscaler)
    assert recipe.scale == scale
    with torch.no_grad():
        made = loaded(file)(picture())  # 9x7 is no multiple of 2 or 4
    assert made.shape == (1, 3, 9 * scale, 7 * scale)


def test_sizes_are_read_from_shapes(tmp_path: Path) -> None:
    file = written(tiny(features=16, growth=6, blocks=3), tmp_path / "up.safetensors")
    config = detect(file).parts["upscaler"].config
    assert RRDBNetSizes(**config) == RRDBNetSizes(features=16, growth=6, blocks=3)


def test_a_network_of_the_published_size_has_the_published_weights() -> None:
    with torch.device("meta"):
        network = RRDBNet(RRDBNetSizes())
    assert sum(weight.numel() for weight in network.parameters()) == 16_697_987


def test_a_small_network_follows_the_paper() -> None:
    """One block, by hand: dense connections, a fifth of each residual."""
    from torch.nn.functional import leaky_relu

    block = tiny(blocks=1).body[0]
    x = torch.randn(1, 8, 5, 5, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        made, y = block(x), x
        for dense in (block.rdb1, block.rdb2, block.rdb3):  # type: ignore[union-attr]
            seen = [y]
            for layer in (dense.conv1, dense.conv2, dense.conv3, dense.conv4):  # type: ignore[union-attr]
                seen.append(leaky_relu(layer(torch.cat(seen, 1)), 0.2))  # type: ignore[operator]
            y = y + 0.2 * dense.conv5(torch.cat(seen, 1))  # type: ignore[union-attr,operator]
        torch.testing.assert_close(made, x + 0.2 * y)


@pytest.mark.parametrize("wrapper", ["params_ema", "params"])
def test_trainers_files_are_opened(tmp_path: Path, wrapper: str) -> None:
    network = tiny()
    other = {"params": {"conv_first.weight": torch.zeros(1)}} if wrapper == "params_ema" else {}
    torch.save({**other, wrapper: network.state_dict()}, tmp_path / "up.pth")
    with torch.no_grad():
        assert torch.equal(loaded(tmp_path / "up.pth")(picture()), network(picture()))


def test_missing_and_foreign_weights_are_told(tmp_path: Path) -> None:
    state = {**tiny().state_dict(), "attention.weight": torch.zeros(2)}
    del state["body.1.rdb2.conv3.bias"]
    save_file(state, tmp_path / "up.safetensors")
    with pytest.raises(
        ModelMismatch, match=r"1 missing: body.1.rdb2.conv3.bias; 1 not of this network: attention.weight"
    ):
        loaded(tmp_path / "up.safetensors")


def test_networks_that_are_not_for_pictures_are_refused(tmp_path: Path) -> None:
    file = written(tiny(channels=1), tmp_path / "grey.safetensors")
    with pytest.raises(ModelMismatch, match="takes 1 channels and gives 1"):
        detect(file)
    cut = {key: value for key, value in tiny().state_dict().items() if not key.startswith("conv_last")}
    save_file(cut, tmp_path / "cut.safetensors")
    with pytest.raises(ModelMismatch, match="lacks its first or last layer"):
        detect(tmp_path / "cut.safetensors")


@pytest.mark.skipif(not spandrel.missing(), reason="spandrel is installed")
def test_another_upscaler_says_what_to_install(tmp_path: Path) -> None:
    save_file({"layers.0.residual_group.blocks.0.norm1.weight": torch.ones(4)}, tmp_path / "swinir.safetensors")
    with pytest.raises(UnknownModelFormat) as refused:
        detect(tmp_path / "swinir.safetensors")
    assert "If it is an upscaler, it needs spandrel" in str(refused.value)
    assert "pip install 'graphflow[upscale]'" in str(refused.value)


def test_a_torchvision_for_another_torch_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages that are there and cannot be imported, as with a torchvision wheel for CUDA beside a torch for the CPU."""
    for name, text in (
        ("torchvision", "raise RuntimeError('operator torchvision::nms does not exist')"),
        ("spandrel", "import torchvision"),
    ):
        (tmp_path / "site" / name).mkdir(parents=True)
        (tmp_path / "site" / name / "__init__.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path / "site")
    save_file({"layers.0.weight": torch.ones(4)}, tmp_path / "swinir.safetensors")
    with pytest.raises(ModelError, match=r"operator torchvision::nms does not exist\); install them with"):
        detect(tmp_path / "swinir.safetensors")
