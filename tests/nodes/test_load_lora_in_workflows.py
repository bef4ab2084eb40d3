"""LoRAs in a run: each strength is a result of its own, and the model is as before afterwards."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from graphflow.app import App, build_app
from graphflow.engine.report import RunReport
from graphflow.graph import parse_document
from graphflow.settings import Settings

ATTENTION = "down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_v"
PROJECTION = "text_model_encoder_layers_0_mlp_fc1"

PAGE = Path(__file__).parents[2] / "docs" / "lora.md"

Run = Callable[..., RunReport]


@pytest.fixture
def app(tmp_path: Path, modules: dict[str, Any], tokenizer: Any) -> Iterator[App]:
    """A home with the tiny networks as one checkpoint, and two LoRAs."""
    folder = tmp_path / "models" / "checkpoints" / "tiny"
    for part, module in modules.items():
        module.save_pretrained(folder / part)
    tokenizer.save_pretrained(folder / "tokenizer")
    index = {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    (folder / "model_index.json").write_text(json.dumps(index | {"text_encoder": ["transformers", "CLIPTextModel"]}))
    torch.manual_seed(4)
    loras = tmp_path / "models" / "loras"
    loras.mkdir()
    save_file(
        change(f"lora_unet_{ATTENTION}", 8, 16) | change(f"lora_te_{PROJECTION}", 32, 16), loras / "style.safetensors"
    )
    save_file(change("lora_unet_double_blocks_0_img_attn_proj", 8, 8), loras / "flux.safetensors")
    app = build_app(Settings(home=tmp_path, device="cpu", precision="bf16"))
    yield app
    app.close()


def change(name: str, out: int, inner: int) -> dict[str, Tensor]:
    return {
        f"{name}.lora_down.weight": torch.randn(4, inner),
        f"{name}.lora_up.weight": torch.randn(out, 4),
        f"{name}.alpha": torch.tensor(4.0),
    }


@pytest.fixture
def run(app: App) -> Run:
    """Samples with a LoRA of these values, or without one."""

    def run(lora: dict[str, Any] | None, **options: Any) -> RunReport:
        nodes: dict[str, dict[str, Any]] = {
            "checkpoint": {"type": "core.load_checkpoint@1", "values": {"file": "tiny"}},
            "empty": {"type": "core.empty_latent@1", "links": {"denoiser": "checkpoint.denoiser"}},
        }
        model = "checkpoint"
        if lora is not None:
            model = "lora"
            links = {"denoiser": "checkpoint.denoiser", "text_encoder": "checkpoint.text_encoder"}
            nodes["lora"] = {"type": "core.load_lora@1", "values": lora, "links": links}
        nodes["prompt"] = {
            "type": "core.encode_text@2",
            "values": {"text": "a red circle"},
            "links": {"text_encoder": f"{model}.text_encoder"},
        }
        nodes["sample"] = {
            "type": "core.ksampler@2",
            "values": {"steps": 2, "guidance": 1.0, "seed": 3},
            "links": {"denoiser": f"{model}.denoiser", "positive": "prompt.conditioning", "latent": "empty.latent"},
        }
        text = json.dumps({"graphflow": 1, "nodes": nodes, "outputs": {"latent": "sample.latent"}})
        return app.run(app.prepare_document(parse_document(text, label="test")), targets=["sample"], **options)

    return run


def latent(report: RunReport) -> Tensor:
    assert report.status == "succeeded", report.failures
    samples: Tensor = report.outputs["latent"].samples
    return samples


def test_a_lora_changes_the_picture_and_nothing_else(run: Run) -> None:
    plain = latent(run(None))
    with_lora = latent(run({"file": "style"}))
    assert not torch.equal(with_lora, plain)
    assert not torch.equal(latent(run({"file": "style", "strength_model": 0.0})), plain), (
        "the text encoder's part is left"
    )
    assert torch.equal(latent(run({"file": "style", "strength_model": 0.0, "strength_text": 0.0})), plain)
    assert torch.equal(latent(run(None, use_cache=False)), plain)
    assert torch.equal(latent(run({"file": "style"}, use_cache=False)), with_lora)


def test_a_lora_of_a_part_of_the_way_changes_less_and_leaves_the_model_as_it_was(run: Run) -> None:
    only_model = {"file": "style", "strength_text": 0.0}
    plain, whole = latent(run(None)), latent(run(only_model))
    early = latent(run({**only_model, "end": 0.5}))
    assert not torch.equal(early, plain)
    assert not torch.equal(early, whole)
    assert torch.equal(latent(run({**only_model, "end_strength": 1.0})), whole)
    assert torch.equal(latent(run(None, use_cache=False)), plain)


def test_another_strength_loads_nothing_again(run: Run, app: App) -> None:
    latent(run({"file": "style", "strength_model": 0.5}))
    held = app.models.resident()
    report = run({"file": "style", "strength_model": 0.7})
    assert latent(report) is not None
    assert app.models.resident() == held


def test_a_lora_of_another_family_fails_at_its_own_node(run: Run) -> None:
    report = run({"file": "flux"})
    assert report.status == "failed"
    assert [failure.node for failure in report.failures] == ["lora"]
    message = report.failures[0].message
    assert "made for a model of another family" in message
    assert "lora_unet_double_blocks_0_img_attn_proj.lora_down.weight" in message


def test_the_chain_in_the_documentation_works(app: App) -> None:
    nodes, settings = (
        json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    )
    loras = app.settings.home / "models" / "loras"
    shutil.copy(loras / "style.safetensors", loras / "pose.safetensors")
    (loras / "style.safetensors.json").write_text(json.dumps(settings))
    nodes["checkpoint"] = {"type": "core.load_checkpoint@1", "values": {"file": "tiny"}}
    outputs = {"denoiser": "pose.denoiser", "text_encoder": "pose.text_encoder"}
    document = parse_document(json.dumps({"graphflow": 1, "nodes": nodes, "outputs": outputs}), label="lora.md")
    report = app.run(app.prepare_document(document), targets=["pose"])
    assert report.status == "succeeded", report.failures
    strengths = {name: [patch.strength for patch in recipe.patches] for name, recipe in report.outputs.items()}
    assert strengths == {"denoiser": [0.8, 1.0], "text_encoder": [0.6, 1.0]}
    with app.models.use(report.outputs["denoiser"]):
        pass
