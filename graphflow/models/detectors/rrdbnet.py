"""ESRGAN and Real-ESRGAN upscalers: their sizes from keys and shapes, in each of the layouts that such files have.

Real-ESRGAN, BasicSR   conv_first  body.0.rdb1.conv1          conv_body   conv_up1  conv_hr  conv_last
BSRGAN, RealSR         conv_first  RRDB_trunk.0.RDB1.conv1    trunk_conv  upconv1   HRconv   conv_last
ESRGAN                 model.0     model.1.sub.0.RDB1.conv1.0 model.1.sub.N  model.3  model.8  model.10
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isqrt

from graphflow.errors import ModelMismatch
from graphflow.models import keymap
from graphflow.models.description import ModelDescription, PartDescription
from graphflow.models.headers import TensorHeader
from graphflow.models.source import ModelSource
from graphflow.ports.model import Upscaler

FAMILY = "rrdbnet"
PART = "upscaler"
TITLE = "ESRGAN and Real-ESRGAN upscalers"

_MARKS = ("body.0.rdb1.conv1.weight", "RRDB_trunk.0.RDB1.conv1.weight", "model.1.sub.0.RDB1.conv1.0.weight")
_NUMBERED = re.compile(r"model\.(\d+)\.(weight|bias)")
_DENSE = re.compile(r"(?:body|RRDB_trunk|model\.1\.sub)\.(\d+)\.(?:rdb|RDB)(\d)\.conv(\d)(?:\.0)?\.(weight|bias)")
_TRUNK_END = re.compile(r"model\.1\.sub\.(\d+)\.(weight|bias)")
_RENAMED = {"trunk_conv": "conv_body", "HRconv": "conv_hr", "upconv": "conv_up"}
_PICTURE_CHANNELS = 3


def detect(source: ModelSource) -> ModelDescription | None:
    """Describe an upscaler of this family; None for anything else. Raises ModelMismatch for one that is not for pictures of three colours."""
    tensors = source.headers.tensors
    if not any(mark in tensors for mark in _MARKS) or any(".conv1x1." in key for key in tensors):
        return None
    named = {_name(key, tensors): tensor for key, tensor in tensors.items()}
    first, last, growth = (named.get(f"{name}.weight") for name in ("conv_first", "conv_last", "body.0.rdb1.conv1"))
    if first is None or last is None or growth is None or min(len(first.shape), len(last.shape), len(growth.shape)) < 4:
        raise ModelMismatch(
            f"{source.path} begins as an ESRGAN upscaler, but lacks its first or last layer; fetch it again"
        )
    channels = last.shape[0]
    unshuffle = isqrt(max(first.shape[1] // max(channels, 1), 1))
    if channels != _PICTURE_CHANNELS or first.shape[1] != channels * unshuffle**2:
        raise ModelMismatch(
            f"{source.path} is an upscaler that takes {first.shape[1]} channels and gives {channels}; pictures have {_PICTURE_CHANNELS}"
        )
    config = {
        "channels": channels,
        "features": first.shape[0],
        "growth": growth.shape[0],
        "blocks": keymap.count(named, "body.{}.rdb1.conv1.weight"),
        "doublings": sum(f"conv_up{number}.weight" in named for number in range(1, 6)),
        "unshuffle": unshuffle,
    }
    scale = 2 ** config["doublings"] // unshuffle
    if scale < 1:
        raise ModelMismatch(f"{source.path} is an upscaler that would make pictures smaller; it is damaged")
    recipe = Upscaler(file="", fingerprint="", family=FAMILY, part=PART, scale=scale)
    return ModelDescription(source.path, FAMILY, "original", {PART: PartDescription(config, named, recipe)})


def _name(key: str, tensors: Mapping[str, TensorHeader]) -> str:
    """The key's name in the network; one that the layout does not have stays, and is told when the weights are loaded."""
    if (dense := _DENSE.fullmatch(key)) is not None:
        return "body.{}.rdb{}.conv{}.{}".format(*dense.groups())
    if (end := _TRUNK_END.fullmatch(key)) is not None:
        return f"conv_body.{end[2]}"
    if (numbered := _NUMBERED.fullmatch(key)) is not None:
        return _numbered_name(int(numbered[1]), tensors, key) + f".{numbered[2]}"
    for old, new in _RENAMED.items():
        if key.startswith(old):
            return new + key.removeprefix(old)
    return key


def _numbered_name(number: int, tensors: Mapping[str, TensorHeader], key: str) -> str:
    """Layers of ESRGAN's own files are counted through, activations included: two convolutions end the row, three numbers a doubling."""
    last = max(int(found[1]) for name in tensors if (found := _NUMBERED.fullmatch(name)))
    if number == 0:
        return "conv_first"
    if number in (last, last - 2):
        return "conv_last" if number == last else "conv_hr"
    return f"conv_up{number // 3}" if number % 3 == 0 else key.rpartition(".")[0]
