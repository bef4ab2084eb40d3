"""LoRAs of Stable Diffusion 2 and XL on their own families, and on others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from graphflow.errors import ModelMismatch
from graphflow.models.catalog import ModelCatalog
from graphflow.models.fingerprint import Fingerprints
from graphflow.models.store import ModelStore
from graphflow.ports import LoraPatch
from tests.models.tiny_families import WIDTH, networks_of, states_of, write_original

XL = {
    "unet": (
        "lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k",
        "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k",
        (128, 2 * WIDTH),
    ),
    "text_encoder": (
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj",
        "encoder.layers.0.self_attn.q_proj",
        (WIDTH, WIDTH),
    ),
    "text_encoder_2": (
        "lora_te2_text_model_encoder_layers_1_self_attn_k_proj",
        "text_model.encoder.layers.1.self_attn.k_proj",
        (WIDTH, WIDTH),
    ),
}
"""By part: the layer in kohya's file, in memory, and its weight's shape."""


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    catalog = ModelCatalog(tmp_path / "zoo", tmp_path / "models", allow_download=False)
    return ModelStore(catalog, Fingerprints(), device="cpu", precision="fp32")


@pytest.fixture
def write_lora(tmp_path: Path) -> Callable[[dict[str, tuple[int, int]]], str]:
    """Writes a LoRA of rank 2 for layers with weights of these shapes."""

    def write(layers: dict[str, tuple[int, int]]) -> str:
        tensors: dict[str, Tensor] = {}
        for name, (out, inner) in layers.items():
            tensors |= {f"{name}.lora_down.weight": torch.ones(2, inner), f"{name}.lora_up.weight": torch.ones(out, 2)}
            tensors[f"{name}.alpha"] = torch.tensor(1.0)
        path = tmp_path / "lora.safetensors"
        save_file(tensors, path)
        return str(path)

    return write


def test_a_lora_for_xl_changes_the_unet_and_both_text_encoders(
    store: ModelStore, write_lora: Callable[[dict[str, tuple[int, int]]], str], tmp_path: Path
) -> None:
    model = write_original(tmp_path / "xl.safetensors", "sdxl", states_of(networks_of("sdxl")))
    parts = store.inspect(str(model)).parts
    file = write_lora({name: shape for name, _, shape in XL.values()})
    adapter = store.inspect_adapter(file, [parts[part] for part in XL])
    assert adapter.parts == ("unet", "text_encoder", "text_encoder_2")
    for part, (_, path, _) in XL.items():
        with store.use(parts[part]) as module:
            before = module.get_parameter(f"{path}.weight").clone()
        with store.use(parts[part].patched(LoraPatch(file, adapter.fingerprint, 1.0, part))) as module:
            torch.testing.assert_close(module.get_parameter(f"{path}.weight"), before + 1.0)


def test_a_lora_for_xl_does_not_fit_stable_diffusion_2(
    store: ModelStore, write_lora: Callable[[dict[str, tuple[int, int]]], str], tmp_path: Path
) -> None:
    model = write_original(tmp_path / "sd2.safetensors", "sd2", states_of(networks_of("sd2")))
    parts = store.inspect(str(model)).parts
    name, _, _ = XL["unet"]
    file = write_lora({name: (128, 2048), "lora_te1_text_model_encoder_layers_0_mlp_fc1": (96, WIDTH)})
    message = rf"another family or size.*reads text 2048 wide, as Stable Diffusion XL has; this model's is {WIDTH} wide"
    with pytest.raises(ModelMismatch, match=message):
        store.inspect_adapter(file, [parts["unet"], parts["text_encoder"]])
