"""Where tensors live and in which precision: what the settings mean on this machine.

`device_kind`, `precision_for` and `salt` need no torch, because keys are made from them; the torch side takes its decisions
from them, so that both always agree.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil

from graphflow.errors import ModelError
from graphflow.ports.model import Precision

if TYPE_CHECKING:
    import torch

DeviceKind = Literal["cpu", "cuda", "mps"]
WeightPrecision = Literal["fp32", "bf16", "fp16"]

_ACCEPTED = "accepted are auto, cpu, cuda, cuda:N and mps"
_NATIVE_BF16 = 80  # compute capability 8.0, Ampere: the first with bf16 in hardware


@dataclass(frozen=True)
class Memory:
    """Bytes of a device's memory."""

    free: int
    total: int


def device_kind(setting: str = "auto") -> DeviceKind:
    """Kind of device that a setting means here, without torch. Raises ModelError for a setting of another form.

    `auto` is `cuda` where the NVIDIA driver shows a GPU and torch is no CPU build, `mps` on Apple silicon, else `cpu`.
    """
    if setting == "auto":
        if "+cpu" not in _version("torch") and _cuda_capabilities():
            return "cuda"
        return "mps" if sys.platform == "darwin" and platform.machine() == "arm64" else "cpu"
    match = re.fullmatch(r"(cpu|mps|cuda)(?::\d+)?", setting)
    if match is None or (":" in setting and match[1] != "cuda"):
        raise ModelError(f'the device "{setting}" is unknown; {_ACCEPTED}')
    kinds: dict[str, DeviceKind] = {"cpu": "cpu", "cuda": "cuda", "mps": "mps"}
    return kinds[match[1]]


def precision_for(kind: DeviceKind, part: str = "unet", *, index: int = 0) -> WeightPrecision:
    """Right precision of a part's weights on a kind of device, without torch.

    CPU: bf16 where it is native (AVX512-BF16 or AMX), else fp32; never fp16, which is hundreds of times slower there.
    CUDA: bf16 from compute capability 8.0 on, else fp16. MPS: fp16. A VAE overflows in fp16 and gets fp32 there. An upscaler works on
    pictures themselves, whose 256 levels are finer than bf16: fp32 on a CPU, else fp16.
    """
    if part == "upscaler":
        return "fp32" if kind == "cpu" else "fp16"
    if kind == "cpu":
        return "bf16" if cpu_has_bf16() else "fp32"
    capabilities = _cuda_capabilities() if kind == "cuda" else ()
    if kind == "cuda" and index < len(capabilities) and capabilities[index] >= _NATIVE_BF16:
        return "bf16"
    return "fp32" if part == "vae" else "fp16"


def weight_precision(setting: Precision, kind: DeviceKind, part: str = "unet", *, index: int = 0) -> WeightPrecision:
    """The precision that a setting means for a part: as it says, or the right one for `auto`."""
    return precision_for(kind, part, index=index) if setting == "auto" else setting


def salt(device: str = "auto", precision: str = "auto", attention: str = "sdpa") -> dict[str, str]:
    """What changes a result's bits besides its inputs, for the keys of results; needs no torch. Raises ModelError."""
    kind, index = device_kind(device), device_index(device)
    if precision not in ("auto", "fp32", "bf16", "fp16"):
        raise ModelError(f'the precision "{precision}" is unknown; accepted are auto, fp32, bf16 and fp16')
    chosen: dict[str, Precision] = {"auto": "auto", "fp32": "fp32", "bf16": "bf16", "fp16": "fp16"}
    return {
        "device": kind,
        "precision": weight_precision(chosen[precision], kind, index=index),
        "vae_precision": weight_precision(chosen[precision], kind, "vae", index=index),
        "attention": attention,
        "torch": _version("torch"),
        "diffusers": _version("diffusers"),
        "transformers": _version("transformers"),
    }


def device_index(setting: str) -> int:
    """Number of the GPU that a setting names; 0 where it names none."""
    match = re.fullmatch(r"cuda:(\d+)", setting)
    return int(match[1]) if match else 0


@cache
def cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bf16 in hardware, by the flags that the operating system shows (Linux on x86)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


@cache
def _cuda_capabilities() -> tuple[int, ...]:
    """Compute capability times ten of each visible NVIDIA GPU, from the driver's management library; empty without one."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and (not visible.strip() or visible.strip().startswith("-1")):
        return ()
    try:
        nvml = ctypes.CDLL("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
    except OSError:
        return ()
    if nvml.nvmlInit_v2() != 0:
        return ()
    try:
        found = ctypes.c_uint()
        if nvml.nvmlDeviceGetCount_v2(ctypes.byref(found)) != 0:
            return ()
        capabilities = [_capability(nvml, index) for index in range(found.value)]
    finally:
        nvml.nvmlShutdown()
    wanted = [item.strip() for item in visible.split(",")] if visible else []
    if wanted and all(item.isdigit() and int(item) < len(capabilities) for item in wanted):
        return tuple(capabilities[int(item)] for item in wanted)
    return tuple(capabilities)


def _capability(nvml: ctypes.CDLL, index: int) -> int:
    handle, major, minor = ctypes.c_void_p(), ctypes.c_int(), ctypes.c_int()
    if nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle)) != 0:
        return 0
    if nvml.nvmlDeviceGetCudaComputeCapability(handle, ctypes.byref(major), ctypes.byref(minor)) != 0:
        return 0
    return major.value * 10 + minor.value


def pick_device(setting: str = "auto") -> torch.device:
    """The torch device that a setting means. Raises ModelError, saying what is there, if torch cannot use it."""
    import torch

    kind, index = device_kind(setting), device_index(setting)
    if kind == "cpu":
        return torch.device("cpu")
    if kind == "mps":
        if not torch.backends.mps.is_available():
            raise ModelError(f'the device "{setting}" is not available: torch sees no Apple GPU here; use cpu')
        return torch.device("mps")
    if not torch.cuda.is_available():
        reason = (
            "this torch is built for the CPU only"
            if torch.version.cuda is None
            else "torch cannot use the driver or GPU"
        )
        raise ModelError(
            f'the device "{setting}" is not available: {reason} (torch {torch.__version__}). '
            "Install a CUDA build of torch and a driver that fits it, or set GRAPHFLOW_DEVICE=cpu."
        )
    if index >= torch.cuda.device_count():
        raise ModelError(
            f'the device "{setting}" does not exist: there are {torch.cuda.device_count()} GPUs, cuda:0 is the first'
        )
    return torch.device("cuda", index)


def default_precision(device: torch.device, part: str = "unet") -> torch.dtype:
    """Right type of a part's weights on a torch device; agrees with `precision_for`."""
    return torch_dtype(precision_for(device_kind(device.type), part, index=device.index or 0))


def torch_dtype(precision: WeightPrecision) -> torch.dtype:
    """Torch's name of a precision."""
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def memory_of(device: torch.device) -> Memory:
    """Free and total memory of a device; Apple's GPUs and CPUs share the machine's."""
    if device.type == "cuda":
        import torch

        free, total = torch.cuda.mem_get_info(device)
        return Memory(free, total)
    machine = psutil.virtual_memory()
    return Memory(machine.available, machine.total)


def wants_channels_last(kind: DeviceKind, precision: WeightPrecision) -> bool:
    """Whether convolutions run faster with channels last: in bf16 on a CPU. fp32 weights stay as they are mapped from the file."""
    return kind == "cpu" and precision == "bf16"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
