"""Keys of LoRA files, whoever wrote them: which network, which layer of it, and what the tensor is for."""

from __future__ import annotations

import re
from typing import NamedTuple


class LoraKey(NamedTuple):
    """A key, understood."""

    part: str
    """Network: `unet`, `text_encoder`, `text_encoder_2`, `transformer`..."""
    layer: str
    """Path of the layer with `_` for every dot, as kohya's tools write it: all spellings of a layer give the same."""
    slot: str
    """What the tensor is for: `down`, `up`, `alpha`, `hada_w1_a`..."""
    path: str
    """Path of the layer as the file spells it, without its prefix."""


_KOHYA_PARTS = {
    "lora_unet_": "unet",
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
    "lora_te3_": "text_encoder_3",
    "lycoris_": "unet",
}
_DOTTED_PARTS = {
    "unet.": "unet",
    "model.diffusion_model.": "unet",
    "diffusion_model.": "unet",
    "text_encoder.": "text_encoder",
    "text_encoder_2.": "text_encoder_2",
    "text_encoder_3.": "text_encoder_3",
    "transformer.": "transformer",
    "vae.": "vae",
}
_PEFT_PREFIX = "base_model.model."
_BARE_TEXT = ("text_model.", "encoder.layers.", "embeddings.")
"""How layers of a CLIP text encoder start in files that do not say whose they are; all others are the denoiser's."""

_SLOTS = {
    "lora_down.weight": "down",
    "lora_up.weight": "up",
    "lora_mid.weight": "mid",
    "lora.down.weight": "down",
    "lora.up.weight": "up",
    "lora_linear_layer.down.weight": "down",
    "lora_linear_layer.up.weight": "up",
    "lora_A.weight": "down",
    "lora_B.weight": "up",
    "lora_B.bias": "up_bias",
    "lora_embedding_A": "embedding_down",
    "lora_embedding_B": "embedding_up",
    "lora_magnitude_vector": "magnitude",
    "lora_magnitude_vector.weight": "magnitude",
    "dora_scale": "dora_scale",
    "alpha": "alpha",
    "diff": "diff",
    "diff_b": "diff_b",
    "w_norm": "diff",
    "b_norm": "diff_b",
    **{name: name for name in ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2")},
    **{name: name for name in ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2")},
}
"""Ends of keys, after the layer's path."""

_OLD_PROCESSOR = re.compile(r"(?P<attention>.+)\.(?P<inner>to_q|to_k|to_v|to_out)_lora\.(?P<slot>down|up)\.weight")
"""`...attn1.processor.to_q_lora.down.weight`, of diffusers before 0.21."""
_OLD_UNET_LAYERS = {"to_out": "to_out.0"}
_OLD_TEXT_LAYERS = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}

_ADAPTER_NAME = re.compile(
    r"\.(lora_[AB]|lora_embedding_[AB]|lora_magnitude_vector)\.(?!(?:weight|bias)$)[^.]+(?=\.weight$|\.bias$|$)"
)
"""The name of the adapter that PEFT puts inside keys while it is in memory: `lora_A.default.weight`."""

TEXT_MODEL = "text_model."
"""How layers of text encoders start in files; transformers has them in memory with or without."""


def parse_key(key: str) -> LoraKey | None:
    """What a key of a LoRA file means; None if nothing that graphflow knows."""
    part, rest = _part_and_rest(key)
    rest = _ADAPTER_NAME.sub(r".\1", rest)
    if (old := _OLD_PROCESSOR.fullmatch(rest)) is not None:
        layers = _OLD_TEXT_LAYERS if part.startswith("text_encoder") else _OLD_UNET_LAYERS
        path = f"{old['attention'].removesuffix('.processor')}.{layers.get(old['inner'], old['inner'])}"
        return LoraKey(part, flat(path), old["slot"], path)
    words = rest.split(".")
    for length in (3, 2, 1):
        slot = _SLOTS.get(".".join(words[-length:]))
        if slot is not None and len(words) > length:
            path = ".".join(words[:-length]).replace(".processor.", ".")
            return LoraKey(part, flat(path), slot, path)
    return None


def flat(path: str) -> str:
    """A layer's path as it is compared: `_` for dots, and without `text_model`, which text encoders have in files but not in memory."""
    return path.replace(".", "_").removeprefix("text_model_")


def _part_and_rest(key: str) -> tuple[str, str]:
    for prefix, part in _KOHYA_PARTS.items():
        if key.startswith(prefix):
            return part, key[len(prefix) :]
    key = key.removeprefix(_PEFT_PREFIX)
    for prefix, part in _DOTTED_PARTS.items():
        if key.startswith(prefix):
            return part, key[len(prefix) :]
    return ("text_encoder" if key.startswith(_BARE_TEXT) else "unet"), key
