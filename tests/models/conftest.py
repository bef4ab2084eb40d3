"""Tiny Stable Diffusion shaped models with random weights, written once per session."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from graphflow.models.catalog import ModelCatalog
from graphflow.models.fingerprint import Fingerprints
from graphflow.models.loaders.stable_diffusion import to_original
from graphflow.models.store import ModelStore

CHANNELS = (32, 64)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def parity() -> Path:
    """Folder of the published reference cases."""
    folder = Path(os.environ.get("GRAPHFLOW_PARITY", Path(__file__).parents[2] / ".." / "shared" / "parity"))
    case = folder / "sd15" / "layouts_img2img"
    if not (case / "keymap.csv").is_file():
        pytest.skip(f"no reference case at {case}; set GRAPHFLOW_PARITY")
    return case


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diffusers folder: two levels, the inner one without attention, v-prediction, no tokenizer."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=CHANNELS,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=64,
        attention_head_dim=8,
    )
    vae = AutoencoderKL(
        block_out_channels=CHANNELS,
        layers_per_block=1,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        scaling_factor=0.5,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=1, vocab_size=100,
            max_position_embeddings=16, bos_token_id=0, pad_token_id=1, eos_token_id=2,
        )
    )  # fmt: skip
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    text.save_pretrained(folder / "text_encoder")
    DDIMScheduler(prediction_type="v_prediction", beta_schedule="linear").save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "tokenizer": [None, None],
        "safety_checker": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture(scope="session")
def states(model_folder: Path) -> dict[str, dict[str, Tensor]]:
    """The tiny model's weights by part, as diffusers and transformers name them."""
    parts = {
        "unet": UNet2DConditionModel.from_pretrained(model_folder / "unet"),
        "vae": AutoencoderKL.from_pretrained(model_folder / "vae"),
        "text_encoder": CLIPTextModel.from_pretrained(model_folder / "text_encoder"),
    }
    return {name: part.state_dict() for name, part in parts.items()}


@pytest.fixture(scope="session")
def original_file(tmp_path_factory: pytest.TempPathFactory, states: dict[str, dict[str, Tensor]]) -> Path:
    """The same weights in the original single-file layout."""
    path = tmp_path_factory.mktemp("original") / "tiny.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in to_original(states).items()}, path)
    return path


@pytest.fixture
def home(tmp_path: Path, model_folder: Path, original_file: Path) -> Path:
    """A home with the tiny model in the zoo, and the single file among the checkpoints."""
    shutil.copytree(model_folder, tmp_path / "zoo" / "tiny-sd")
    checkpoints = tmp_path / "models" / "checkpoints"
    checkpoints.mkdir(parents=True)
    shutil.copy(original_file, checkpoints / "single.safetensors")
    return tmp_path


@pytest.fixture
def catalog(home: Path) -> ModelCatalog:
    """A catalogue of that home which never goes online."""
    return ModelCatalog(home / "zoo", home / "models", allow_download=False, hub_cache=home / "hub")


@pytest.fixture
def store(catalog: ModelCatalog) -> ModelStore:
    """A store on the CPU in fp32."""
    return ModelStore(catalog, Fingerprints(), device="cpu", precision="fp32")


@pytest.fixture
def write_header() -> Callable[[Path, dict[str, list[int]]], Path]:
    """Writes a safetensors file of true size whose data is a hole in the file: shapes for free."""

    def write(path: Path, shapes: dict[str, list[int]]) -> Path:
        header, offset = {}, 0
        for name, shape in shapes.items():
            size = 2 * torch.Size(shape).numel()
            header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + size]}
            offset += size
        text = json.dumps(header).encode()
        with path.open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            file.truncate(8 + len(text) + offset)
        return path

    return write
