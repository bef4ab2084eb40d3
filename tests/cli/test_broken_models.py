"""Broken and unfit models at the command line: one message at the node that meets them, exit code 3, and all is well afterwards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from graphflow.paths import bundled
from graphflow.zoo import MODELS

WORKFLOW = bundled("workflows") / "text_to_image.json"
QUICK = ("--set", "steps=1", "--set", "guidance=1")
WEIGHTS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}


@pytest.fixture
def broken(home: Path) -> Path:
    """A copy of the bundled model to be broken."""
    return Path(shutil.copytree(MODELS / "tiny-sd", home / "models" / "checkpoints" / "broken"))


def poison(file: Path) -> None:
    tensors = load_file(file)
    next(tensor for tensor in tensors.values() if tensor.is_floating_point()).view(-1)[0] = float("nan")
    save_file(tensors, file)


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The workflow with other nodes."""
    document = json.loads(WORKFLOW.read_text("utf-8"))
    change(document["nodes"])
    path.write_text(json.dumps(document), "utf-8")
    return path


def failure(done: Any, node: str) -> str:
    """What was said of the one node that failed."""
    assert done.code == 3
    assert "Traceback" not in done.err
    (line,) = (line for line in done.err.splitlines() if " failed: " in line)
    assert line.startswith(f'node "{node}"')
    return str(line)


@pytest.mark.parametrize(("part", "node"), [("unet", "sample"), ("vae", "decode"), ("text_encoder", "negative")])
def test_numbers_that_are_none_fail_where_the_network_is_needed(
    graphflow: Callable[..., Any], broken: Path, part: str, node: str
) -> None:
    poison(broken / part / WEIGHTS[part])
    message = failure(graphflow("run", WORKFLOW, "--set", "checkpoint=broken", *QUICK), node)
    assert f"{broken} is damaged: the weights of its {part} hold numbers that are not finite" in message
    shutil.rmtree(broken)
    shutil.copytree(MODELS / "tiny-sd", broken)
    assert graphflow("run", WORKFLOW, "--set", "checkpoint=broken", *QUICK).code == 0


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda data: data[: len(data) // 2], "it is cut short"),
        (lambda data: b"<html>" * 100, "it does not start as a safetensors file"),
    ],
)
def test_a_damaged_file_fails_at_its_loader(
    graphflow: Callable[..., Any], broken: Path, harm: Callable[[bytes], bytes], said: str
) -> None:
    file = broken / "unet" / WEIGHTS["unet"]
    file.write_bytes(harm(file.read_bytes()))
    message = failure(graphflow("run", WORKFLOW, "--set", "checkpoint=broken", *QUICK), "checkpoint")
    assert f"{file} is damaged: {said}" in message


def test_missing_weights_are_named(graphflow: Callable[..., Any], broken: Path) -> None:
    file = broken / "unet" / WEIGHTS["unet"]
    tensors = load_file(file)
    del tensors["conv_norm_out.weight"]
    save_file(tensors, file)
    message = failure(graphflow("run", WORKFLOW, "--set", "checkpoint=broken", *QUICK), "sample")
    assert "1 missing: conv_norm_out.weight" in message


def test_a_lora_of_another_family_fails_at_its_own_node(graphflow: Callable[..., Any], home: Path) -> None:
    with safe_open(MODELS / "tiny-sd" / "unet" / WEIGHTS["unet"], framework="pt") as file:
        layer = next(name for name in file.keys() if name.endswith("attn1.to_q.weight")).removesuffix(".weight")  # noqa: SIM118
    lora = home / "models" / "loras" / "xl.safetensors"
    lora.parent.mkdir(parents=True)
    save_file(
        {f"unet.{layer}.lora_A.weight": torch.ones(4, 1280), f"unet.{layer}.lora_B.weight": torch.ones(1280, 4)}, lora
    )

    def insert(nodes: dict[str, Any]) -> None:
        nodes["style"] = {
            "type": "core.load_lora@1",
            "values": {"file": "xl"},
            "links": {"denoiser": "checkpoint.denoiser"},
        }
        nodes["sample"]["links"]["denoiser"] = "style.denoiser"

    message = failure(graphflow("run", changed(Path("lora.json"), insert), *QUICK), "style")
    assert f'{lora} is made for a model of another family or size than "tiny-sd" (sd15)' in message
    assert "Use a LoRA that was trained on a model of this family" in message


def test_numbers_in_a_lora_that_are_none_fail_where_it_is_used(graphflow: Callable[..., Any], home: Path) -> None:
    lora = home / "models" / "loras" / "sick.safetensors"
    lora.parent.mkdir(parents=True)
    shutil.copy(MODELS / "tiny-lora-heart.safetensors", lora)

    def insert(nodes: dict[str, Any]) -> None:
        links = {"denoiser": "checkpoint.denoiser", "text_encoder": "checkpoint.text_encoder"}
        nodes["style"] = {"type": "core.load_lora@1", "values": {"file": "sick"}, "links": links}
        nodes["sample"]["links"]["denoiser"] = "style.denoiser"
        nodes["negative"]["links"]["text_encoder"] = nodes["positive"]["links"]["text_encoder"] = "style.text_encoder"

    workflow = changed(Path("sick.json"), insert)
    poison(lora)
    message = failure(graphflow("run", workflow, *QUICK), "negative")
    assert f"{lora} is damaged: " in message
    assert "not finite (NaN or infinity)" in message
    shutil.copy(MODELS / "tiny-lora-heart.safetensors", lora)
    assert graphflow("run", workflow, *QUICK).code == 0


def test_a_vae_of_another_family_fails_at_the_decoder(graphflow: Callable[..., Any], home: Path) -> None:
    def insert(nodes: dict[str, Any]) -> None:
        nodes["other"] = {"type": "core.load_vae@1", "values": {"file": "tiny-sd", "family": "sdxl"}}
        nodes["decode"]["links"]["vae"] = "other.vae"

    message = failure(graphflow("run", changed(Path("vae.json"), insert), *QUICK), "decode")
    assert 'the latent is one of sd15 and sd2, but "tiny-sd" (vae) is of the family sdxl' in message


def test_a_model_that_is_not_there_is_a_wrong_input(graphflow: Callable[..., Any], home: Path) -> None:
    done = graphflow("run", WORKFLOW, "--set", "checkpoint=tiny-ds", *QUICK)
    assert done.code == 1
    assert "Did you mean tiny-sd?" in done.err
    assert "Traceback" not in done.err
