"""LoRAs on a network: what PEFT merges is what graphflow merges; combined once, undone to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn

from graphflow.errors import ModelError, ModelMismatch
from graphflow.models.lora.patch import apply_loras
from graphflow.models.patches import PATCHES
from graphflow.ports import LoraPatch, Patch


class Network(nn.Module):
    """A layer of each kind that adapters change."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(12, 16)
        self.conv = nn.Conv2d(4, 8, 3)
        self.mix = nn.Conv2d(8, 8, 1)
        self.words = nn.Embedding(10, 6)
        self.norm = nn.GroupNorm(2, 8)


class Files:
    """Patches name their files by path."""

    def path(self, file: str, fingerprint: str, kind: str) -> Path:
        return Path(file)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return Network().requires_grad_(False)


@pytest.fixture
def lora(tmp_path: Path) -> Callable[..., LoraPatch]:
    """Writes a file of these tensors, and gives the patch."""

    def write(
        tensors: dict[str, Tensor], strength: float = 1.0, name: str = "lora", metadata: dict[str, str] | None = None
    ) -> LoraPatch:
        path = tmp_path / f"{name}.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path, metadata)
        return LoraPatch(str(path), "0", strength)

    return write


def low_rank(layer: str = "proj", *, out: int = 16, inner: int = 12, rank: int = 3, seed: int = 1) -> dict[str, Tensor]:
    made = torch.Generator().manual_seed(seed)
    return {
        f"lora_unet_{layer}.lora_down.weight": torch.randn(rank, inner, generator=made),
        f"lora_unet_{layer}.lora_up.weight": torch.randn(out, rank, generator=made),
        f"lora_unet_{layer}.alpha": torch.tensor(1.5),
    }


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: weight.clone() for name, weight in network.state_dict().items()}


def apply(network: nn.Module, *patches: Patch) -> Callable[[], None]:
    return PATCHES.apply(network, list(patches), Files())


LAYERS = ["proj", "conv", "mix"]


@pytest.mark.parametrize(
    "config",
    [
        peft.LoraConfig(r=4, lora_alpha=2, target_modules=LAYERS),
        peft.LoraConfig(r=4, lora_alpha=2, target_modules=[*LAYERS, "words"], use_rslora=True),
        peft.LoraConfig(r=4, target_modules=LAYERS, alpha_pattern={"conv": 7}, rank_pattern={"mix": 2}),
        peft.LoraConfig(r=4, lora_alpha=2, target_modules=LAYERS, use_dora=True),
        peft.LoraConfig(r=4, lora_alpha=2, target_modules=LAYERS, lora_bias=True),
        peft.LoHaConfig(r=4, alpha=3, target_modules=LAYERS),
        peft.LoHaConfig(r=4, alpha=3, target_modules=LAYERS, use_effective_conv2d=True),
        peft.LoKrConfig(r=2, alpha=3, target_modules=LAYERS),
        peft.LoKrConfig(r=2, alpha=3, target_modules=LAYERS, use_effective_conv2d=True, decompose_both=True),
        peft.LoKrConfig(r=16, alpha=3, target_modules=LAYERS),
    ],
    ids=["lora", "rslora", "alpha_pattern", "dora", "bias", "loha", "loha_core", "lokr", "lokr_core", "lokr_whole"],
)
def test_a_peft_folder_merges_as_peft_merges_it(network: nn.Module, config: Any, tmp_path: Path) -> None:
    before = state(network)
    adapted = peft.get_peft_model(Network(), config)
    adapted.base_model.model.load_state_dict(
        {name.replace(".", ".base_layer.") if name.split(".")[0] in config.target_modules else name: tensor
         for name, tensor in before.items()},
        strict=False,
    )  # fmt: skip
    torch.manual_seed(1)
    for name, weight in adapted.named_parameters():
        if weight.requires_grad:
            weight.data = torch.rand_like(weight) if "magnitude" in name else 0.3 * torch.randn_like(weight)
    tensors = {name: tensor.clone().contiguous() for name, tensor in get_peft_model_state_dict(adapted).items()}
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps(config.to_dict(), default=list))
    undo = apply(network, LoraPatch(str(tmp_path), "0"))
    merged = adapted.merge_and_unload().state_dict()
    assert merged.keys() == before.keys()
    assert not torch.equal(merged["proj.weight"], before["proj.weight"])
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(weight, merged[name], rtol=1e-5, atol=1e-5, msg=name)
    undo()
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())


def test_kohyas_alpha_and_the_strength_scale_the_change(network: nn.Module, lora: Callable[..., LoraPatch]) -> None:
    before, tensors = state(network), low_rank()
    apply(network, lora(tensors, strength=0.5))
    down, up = tensors["lora_unet_proj.lora_down.weight"], tensors["lora_unet_proj.lora_up.weight"]
    torch.testing.assert_close(
        network.get_parameter("proj.weight"), before["proj.weight"] + 0.5 * (1.5 / 3) * up @ down
    )


def test_a_core_stands_between_down_and_up(network: nn.Module, lora: Callable[..., LoraPatch]) -> None:
    down, mid, up = torch.randn(2, 4, 1, 1), torch.randn(2, 2, 3, 3), torch.randn(8, 2, 1, 1)
    before, picture = state(network), torch.randn(1, 4, 6, 6)
    names = ("lora_down.weight", "lora_mid.weight", "lora_up.weight")
    apply(network, lora({f"lora_unet_conv.{name}": each for name, each in zip(names, (down, mid, up), strict=True)}))
    change = network.get_parameter("conv.weight") - before["conv.weight"]
    in_steps = nn.functional.conv2d(nn.functional.conv2d(nn.functional.conv2d(picture, down), mid), up)
    torch.testing.assert_close(nn.functional.conv2d(picture, change), in_steps, rtol=1e-4, atol=1e-4)


def test_norms_change_by_differences(network: nn.Module, lora: Callable[..., LoraPatch]) -> None:
    apply(network, lora({"lora_unet_norm.w_norm": torch.full((8,), 0.5), "lora_unet_norm.b_norm": torch.ones(8)}))
    assert torch.equal(network.get_parameter("norm.weight"), torch.full((8,), 1.5))
    assert torch.equal(network.get_parameter("norm.bias"), torch.ones(8))


@pytest.mark.parametrize("shape", [(16, 1), (1, 12)], ids=["per_output", "per_input"])
def test_dora_sets_lengths_and_keeps_directions(
    network: nn.Module, lora: Callable[..., LoraPatch], shape: tuple[int, int]
) -> None:
    before, lengths = state(network), 1 + torch.rand(shape)
    kept = 1 if shape[0] == 1 else 0
    apply(network, lora(low_rank() | {"lora_unet_proj.dora_scale": lengths}))
    changed = network.get_parameter("proj.weight")
    torch.testing.assert_close(changed.norm(dim=1 - kept, keepdim=True), lengths)
    tensors = low_rank()
    direction = (
        before["proj.weight"]
        + 0.5 * tensors["lora_unet_proj.lora_up.weight"] @ tensors["lora_unet_proj.lora_down.weight"]
    )
    torch.testing.assert_close(
        nn.functional.cosine_similarity(changed, direction, dim=1 - kept), torch.ones(shape[kept])
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_several_loras_are_summed_in_float32_and_rounded_once(
    network: nn.Module, lora: Callable[..., LoraPatch], dtype: torch.dtype
) -> None:
    network.to(dtype)
    before = state(network)
    patches = [lora(low_rank(seed=seed), strength=0.1 * seed, name=str(seed)) for seed in (1, 2, 3)]
    undo = apply(network, *patches)
    total = torch.zeros(16, 12)
    for seed in (1, 2, 3):
        tensors = low_rank(seed=seed)
        up, down = tensors["lora_unet_proj.lora_up.weight"], tensors["lora_unet_proj.lora_down.weight"]
        total += 0.1 * seed * (up @ down * 0.5)
    assert torch.equal(network.get_parameter("proj.weight"), (before["proj.weight"].float() + total).to(dtype))
    undo()
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())


def test_only_touched_weights_are_replaced(network: nn.Module, lora: Callable[..., LoraPatch]) -> None:
    places = {name: weight.data_ptr() for name, weight in network.named_parameters()}
    undo = apply(network, lora(low_rank()))
    moved = [name for name, weight in network.named_parameters() if weight.data_ptr() != places[name]]
    assert moved == ["proj.weight"]
    undo()
    assert places == {name: weight.data_ptr() for name, weight in network.named_parameters()}


@pytest.mark.parametrize("elements", [1, 40, 100, 10_000])
def test_rows_changed_block_by_block_are_those_changed_at_once(
    lora: Callable[..., LoraPatch], elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = low_rank() | {
        "lora_unet_conv.lora_down.weight": torch.randn(2, 4, 3, 3),
        "lora_unet_conv.lora_up.weight": torch.randn(8, 2, 1, 1),
    }
    monkeypatch.setattr("graphflow.models.lora.patch._BLOCK", elements)
    torch.manual_seed(0)
    network = Network().to(torch.bfloat16)
    wanted = {
        "proj.weight": changes["lora_unet_proj.lora_up.weight"] @ changes["lora_unet_proj.lora_down.weight"] * 0.5,
        "conv.weight": torch.einsum(
            "or,rihw->oihw",
            changes["lora_unet_conv.lora_up.weight"].flatten(1),
            changes["lora_unet_conv.lora_down.weight"],
        ),
    }
    before = state(network)
    apply(network, lora(changes))
    for name, delta in wanted.items():
        changed = network.get_parameter(name)
        torch.testing.assert_close(changed, (before[name].float() + delta).to(torch.bfloat16), rtol=0.01, atol=0.01)
        assert changed.dtype == torch.bfloat16
        assert changed.stride() == before[name].stride()


def test_order_does_not_matter(network: nn.Module, lora: Callable[..., LoraPatch]) -> None:
    first, second = lora(low_rank(), name="a"), lora(low_rank(seed=2), name="b")
    undo = apply(network, first, second)
    one_way = network.get_parameter("proj.weight").clone()
    undo()
    apply(network, second, first)
    assert torch.equal(network.get_parameter("proj.weight"), one_way)


def test_strength_zero_changes_nothing_and_opposite_strengths_cancel(
    network: nn.Module, lora: Callable[..., LoraPatch]
) -> None:
    before = state(network)
    patch = lora(low_rank())
    apply(network, LoraPatch(patch.file, "0", 0.0), patch, LoraPatch(patch.file, "0", -1.0))
    assert torch.equal(network.get_parameter("proj.weight"), before["proj.weight"])


def test_layers_of_the_original_layout_are_found(lora: Callable[..., LoraPatch], model_folder: Path) -> None:
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel.from_pretrained(model_folder / "unet")
    name = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    before = unet.get_parameter(name).clone()
    tensors = low_rank("input_blocks_1_1_transformer_blocks_0_attn1_to_q", out=32, inner=32)
    apply(unet, lora(tensors))
    assert not torch.equal(unet.get_parameter(name), before)


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        (low_rank() | low_rank("other"), ModelMismatch, r"layers that the model does not have \(3\).*lora_unet_other\.lora_down\.weight"),
        (low_rank(inner=13), ModelMismatch, r"another family or size.*changes \[16, 13\], the layer has \[16, 12\]"),
        (low_rank("gone"), ModelMismatch, r"another family or size.*none of its layers fit.*not have \(3\)"),
        (low_rank() | {"lora_unet_proj.oft_blocks": torch.ones(1)}, ModelError, r"1 of 4 keys mean nothing.*oft_blocks"),
        (low_rank() | {"lora_unet_proj.lora_up.weight": torch.full((16, 3), torch.nan)}, ModelError, "not finite"),
        (low_rank() | {"lora_unet_proj.lora_up.weight": torch.ones(16, 2)}, ModelError, "do not fit each other"),
        (low_rank() | {"lora_unet_proj.dora_scale": torch.ones(5)}, ModelMismatch, r"has \[5\] lengths"),
        (low_rank() | {"lora_unet_proj.diff_b": torch.ones(5)}, ModelMismatch, r"the bias has \[16\]"),
        ({"lora_unet_proj.lora_up.weight": torch.ones(16, 2)}, ModelError, "lacks tensors"),
        ({"lora_te_text_model_proj.diff_b": torch.ones(16)}, ModelMismatch, "it holds changes of: text_encoder"),
        ({"proj.weight": torch.ones(16, 12)}, ModelError, "is no LoRA"),
    ],
    ids=["some", "size", "all", "kind", "nan", "factors", "lengths", "bias", "half", "part", "no_lora"],
)  # fmt: skip
def test_what_does_not_apply_is_an_error_and_changes_nothing(
    network: nn.Module,
    lora: Callable[..., LoraPatch],
    tensors: dict[str, Tensor],
    error: type[Exception],
    message: str,
) -> None:
    before = state(network)
    fitting = lora(low_rank("mix", out=8, inner=8), name="fits")
    with pytest.raises(error, match=message):
        apply(network, fitting, lora(tensors))
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())


def test_what_the_file_was_trained_on_is_told(network: nn.Module, lora: Callable[..., LoraPatch]) -> None:
    patch = lora(low_rank("gone"), metadata={"ss_base_model_version": "sdxl_base_v1-0"})
    with pytest.raises(ModelMismatch, match="ss_base_model_version: sdxl_base_v1-0"):
        apply(network, patch)


def test_a_file_cut_short_is_damaged(network: nn.Module, lora: Callable[..., LoraPatch]) -> None:
    patch = lora(low_rank())
    path = Path(patch.file)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ModelError, match="is damaged: it is cut short"):
        apply(network, patch)


def test_loras_apply_together_at_the_place_of_the_first(network: nn.Module, lora: Callable[..., LoraPatch]) -> None:
    from graphflow.models.patches import PatchRegistry

    calls: list[list[str]] = []
    registry = PatchRegistry()

    class Other(Patch):
        pass

    @registry.joint_applier(LoraPatch)
    def loras(module: nn.Module, patches: Sequence[LoraPatch], files: Any) -> Callable[[], None]:
        calls.append([patch.file for patch in patches])
        return apply_loras(module, patches, files)

    @registry.applier(Other)
    def other(module: nn.Module, patch: Other, files: Any) -> Callable[[], None]:
        calls.append(["other"])
        return lambda: None

    first, second = lora(low_rank(), name="a"), lora(low_rank(), name="b")
    registry.apply(network, [Other(), first, Other(), second], Files())
    assert calls == [["other"], [first.file, second.file], ["other"]]
