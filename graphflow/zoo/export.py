"""The trained networks as a diffusers folder in half precision, with everything a Stable Diffusion pipeline expects."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from transformers import CLIPTokenizer

from graphflow.zoo.captions import WORDS
from graphflow.zoo.fitting import averaged_weights
from graphflow.zoo.recipes import PREDICTION, Sizes
from graphflow.zoo.tokenizer import write_tokenizer
from graphflow.zoo.train_denoiser import Denoiser, load_vae

__all__ = ["export_pipeline", "folder_bytes"]


def export_pipeline(sizes: Sizes, run: Path, target: Path) -> None:
    """Write the averaged weights of a training run as a diffusers folder; what was in `target` is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    write_tokenizer(target / "tokenizer", WORDS, tokens=sizes.tokens)
    tokenizer = CLIPTokenizer.from_pretrained(target / "tokenizer")
    network = Denoiser(sizes, tokenizer)
    network.load_state_dict(averaged_weights(run / "denoiser"))
    pipeline = StableDiffusionPipeline(
        vae=load_vae(sizes, run),
        text_encoder=network.text_encoder,
        tokenizer=tokenizer,
        unet=network.unet,
        scheduler=DPMSolverMultistepScheduler(**PREDICTION, use_karras_sigmas=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(dtype=torch.float16).save_pretrained(target)
    shutil.rmtree(target / "tokenizer")  # back to the plain files of CLIP, which every version reads
    write_tokenizer(target / "tokenizer", WORDS, tokens=sizes.tokens)
    for path in target.rglob("*.safetensors"):
        path.chmod(0o644)


def folder_bytes(folder: Path) -> int:
    """Size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
