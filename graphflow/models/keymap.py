"""Names of Stable Diffusion's weights in the diffusers layout and in the original single-file layout.

Both layouts name the same tensors. The rules below hold for any number of levels and layers, and are read in both directions.
The text encoder of Stable Diffusion 1 is named here as transformers names it in memory: without `text_model.`. Those of 2 and XL
have a layout of their own, `open_clip`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."
TEXT_PREFIX = "cond_stage_model.transformer."
ORIGINAL_PREFIXES = {"unet": UNET_PREFIX, "vae": VAE_PREFIX, "text_encoder": TEXT_PREFIX}
"""Where each part stands in an original file."""

TEXT_MODEL = "text_model."

ADD_EMBEDDING = "add_embedding"
CLASS_EMBEDDING = "class_embedding"
"""The module of a UNet that embeds a vector of its own: pooled text and sizes (`text_time`), or the vector as it is (`projection`)."""

T = TypeVar("T")

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_OLD_VAE_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


@dataclass(frozen=True)
class UnetOutline:
    """What the names of a UNet's weights depend on."""

    levels: int
    layers: int
    """Resnets per down block; up blocks have one more."""
    up_attention: tuple[bool, ...]
    """For each up block, first to last, whether it attends to the text."""


@dataclass(frozen=True)
class Renaming:
    """Pairs of module paths, diffusers and original; everything below a module keeps its name."""

    to_original: Mapping[str, str]
    to_diffusers: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "to_diffusers", {original: name for name, original in self.to_original.items()})

    def original(self, name: str) -> str | None:
        """Original name of a diffusers name, or None where the layout has none."""
        return _renamed(name, self.to_original)

    def diffusers(self, name: str) -> str | None:
        """Diffusers name of an original name, or None where the layout has none."""
        return _renamed(name, self.to_diffusers)


def _renamed(name: str, pairs: Mapping[str, str]) -> str | None:
    """The name with its longest known module path replaced."""
    end = len(name)
    while (end := name.rfind(".", 0, end)) > 0:
        if (other := pairs.get(name[:end])) is not None:
            return other + name[end:]
    return None


def unet_renaming(outline: UnetOutline, *, vector: str = ADD_EMBEDDING) -> Renaming:
    """Names of UNet2DConditionModel against the original `input_blocks`, `middle_block`, `output_blocks`.

    `vector` is the module that embeds what conditions the whole picture, such as Stable Diffusion XL's sizes.
    """
    pairs = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        f"{vector}.linear_1": "label_emb.0.0",
        f"{vector}.linear_2": "label_emb.0.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.attentions.0": "middle_block.1",
    }
    pairs |= _resnet_pairs("mid_block.resnets.0", "middle_block.0")
    pairs |= _resnet_pairs("mid_block.resnets.1", "middle_block.2")
    stride = outline.layers + 1
    for level in range(outline.levels):
        down, up = f"down_blocks.{level}", f"up_blocks.{level}"
        for layer in range(outline.layers):
            block = f"input_blocks.{level * stride + layer + 1}"
            pairs |= _resnet_pairs(f"{down}.resnets.{layer}", f"{block}.0")
            pairs[f"{down}.attentions.{layer}"] = f"{block}.1"
        for layer in range(stride):
            block = f"output_blocks.{level * stride + layer}"
            pairs |= _resnet_pairs(f"{up}.resnets.{layer}", f"{block}.0")
            if outline.up_attention[level]:
                pairs[f"{up}.attentions.{layer}"] = f"{block}.1"
        if level < outline.levels - 1:
            pairs[f"{down}.downsamplers.0.conv"] = f"input_blocks.{(level + 1) * stride}.0.op"
            place = 2 if outline.up_attention[level] else 1
            pairs[f"{up}.upsamplers.0.conv"] = f"output_blocks.{level * stride + outline.layers}.{place}.conv"
    return Renaming(pairs)


def _resnet_pairs(name: str, original: str) -> dict[str, str]:
    return {f"{name}.{inner}": f"{original}.{other}" for inner, other in _RESNET.items()}


def controlnet_renaming(outline: UnetOutline, hints: int) -> Renaming:
    """Names of ControlNetModel against the original ones, which are a UNet's for its half of a UNet.

    `hints` is the number of convolutions that look at the picture; the original layout counts the activations between them too.
    """
    pairs = dict(unet_renaming(outline).to_original)
    eye = "controlnet_cond_embedding"
    pairs |= {f"{eye}.conv_in": "input_hint_block.0", f"{eye}.conv_out": f"input_hint_block.{2 * (hints - 1)}"}
    pairs |= {f"{eye}.blocks.{index}": f"input_hint_block.{2 * (index + 1)}" for index in range(hints - 2)}
    places = outline.levels * (outline.layers + 1)
    pairs |= {f"controlnet_down_blocks.{place}": f"zero_convs.{place}.0" for place in range(places)}
    return Renaming({**pairs, "controlnet_mid_block": "middle_block_out.0"})


def vae_renaming(levels: int, layers: int) -> Renaming:
    """Names of AutoencoderKL against the original ones, which count the decoder's levels from the picture's side."""
    pairs = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    for side in ("encoder", "decoder"):
        pairs |= {f"{side}.{name}": f"{side}.{name}" for name in ("conv_in", "conv_out")}
        pairs[f"{side}.conv_norm_out"] = f"{side}.norm_out"
        for index in (0, 1):
            pairs |= _vae_resnet_pairs(f"{side}.mid_block.resnets.{index}", f"{side}.mid.block_{index + 1}")
        attention = f"{side}.mid_block.attentions.0"
        pairs |= {f"{attention}.{inner}": f"{side}.mid.attn_1.{other}" for inner, other in _VAE_ATTENTION.items()}
    for level in range(levels):
        down, up, original_up = (
            f"encoder.down_blocks.{level}",
            f"decoder.up_blocks.{level}",
            f"decoder.up.{levels - 1 - level}",
        )
        for layer in range(layers):
            pairs |= _vae_resnet_pairs(f"{down}.resnets.{layer}", f"encoder.down.{level}.block.{layer}")
        for layer in range(layers + 1):
            pairs |= _vae_resnet_pairs(f"{up}.resnets.{layer}", f"{original_up}.block.{layer}")
        if level < levels - 1:
            pairs[f"{down}.downsamplers.0.conv"] = f"encoder.down.{level}.downsample.conv"
            pairs[f"{up}.upsamplers.0.conv"] = f"{original_up}.upsample.conv"
    return Renaming(pairs)


def _vae_resnet_pairs(name: str, original: str) -> dict[str, str]:
    pairs = {f"{name}.{inner}": f"{original}.{inner}" for inner in ("norm1", "conv1", "norm2", "conv2")}
    return pairs | {f"{name}.conv_shortcut": f"{original}.nin_shortcut"}


def is_vae_projection(name: str) -> bool:
    """Whether a diffusers name is a projection that the original layout writes as a 1x1 convolution: 4-d there, 2-d here."""
    return ".attentions." in name and name.endswith(
        tuple(f".{inner}.weight" for inner in _VAE_ATTENTION if inner != "group_norm")
    )


def current_vae_name(name: str) -> str:
    """The name with attention spelled as diffusers spells it today; files before 2023 have `query`, `key`, `value`, `proj_attn`."""
    if ".attentions." not in name:
        return name
    module, _, leaf = name.rpartition(".")
    parent, _, inner = module.rpartition(".")
    return f"{parent}.{_OLD_VAE_ATTENTION[inner]}.{leaf}" if inner in _OLD_VAE_ATTENTION else name


def text_name(name: str) -> str:
    """A text encoder's name as transformers has it in memory: without `text_model.`."""
    return name.removeprefix(TEXT_MODEL)


def keymap(
    part_keys: Mapping[str, Iterable[str]], *, unet: UnetOutline, vae_levels: int, vae_layers: int
) -> dict[str, str]:
    """Original name of each diffusers name, both with the part in front, as a whole checkpoint has them.

    `unet.conv_in.weight` -> `model.diffusion_model.input_blocks.0.0.weight`. Text encoder names get `text_model.` where they
    lack it. Raises KeyError for a name that the layout does not have.
    """
    unet_names, vae_names = unet_renaming(unet), vae_renaming(vae_levels, vae_layers)
    rules: dict[str, Callable[[str], str | None]] = {
        "unet": unet_names.original,
        "vae": lambda name: vae_names.original(current_vae_name(name)),
        "text_encoder": lambda name: TEXT_MODEL + text_name(name),
    }
    table: dict[str, str] = {}
    for part, keys in part_keys.items():
        for key in keys:
            original = rules[part](key)
            if original is None:
                raise KeyError(f"{part}.{key}")
            table[f"{part}.{key}"] = ORIGINAL_PREFIXES[part] + original
    return table


def outline_of_diffusers(names: Iterable[str]) -> UnetOutline:
    """Outline of a UNet from its diffusers names."""
    known = set(names)
    levels = count(known, "down_blocks.{}.resnets.0.conv1.weight")
    return UnetOutline(
        levels=levels,
        layers=count(known, "down_blocks.0.resnets.{}.conv1.weight"),
        up_attention=tuple(f"up_blocks.{level}.attentions.0.norm.weight" in known for level in range(levels)),
    )


def outline_of_original(names: Iterable[str]) -> UnetOutline | None:
    """Outline of a UNet from its original names, without prefix; None if they don't count up as a UNet's do."""
    known = set(names)
    inputs = count(known, "input_blocks.{}.0.in_layers.0.weight", "input_blocks.{}.0.op.weight", start=1)
    downsamplers = [index for index in range(1, inputs + 1) if f"input_blocks.{index}.0.op.weight" in known]
    layers = (downsamplers[0] if downsamplers else inputs + 1) - 1
    levels = len(downsamplers) + 1
    stride = layers + 1
    if layers < 1 or inputs != levels * stride - 1 or downsamplers != [stride * level for level in range(1, levels)]:
        return None
    attention = tuple(f"output_blocks.{level * stride}.1.norm.weight" in known for level in range(levels))
    return UnetOutline(levels, layers, attention)


def count(names: set[str] | Mapping[str, object], *patterns: str, start: int = 0) -> int:
    """How many numbers in a row, from `start`, put into one of the patterns give a known name."""
    number = start
    while any(pattern.format(number) in names for pattern in patterns):
        number += 1
    return number - start


def renamed(tensors: Mapping[str, T], rename: Callable[[str], str | None]) -> tuple[dict[str, T], list[str]]:
    """Tensors under their new names, and the names that have none."""
    known: dict[str, T] = {}
    unknown: list[str] = []
    for name, tensor in tensors.items():
        if (new := rename(name)) is None:
            unknown.append(name)
        else:
            known[new] = tensor
    return known, unknown


def count_hints(names: Mapping[str, object]) -> int:
    """How many convolutions look at a ControlNet's picture, by original names; every other number is an activation."""
    number = 0
    while f"input_hint_block.{2 * number}.weight" in names:
        number += 1
    return number


def with_prefix(tensors: Mapping[str, T], prefix: str) -> dict[str, T]:
    """Tensors whose name starts with the prefix, without it."""
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
