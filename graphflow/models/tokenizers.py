"""Tokenizers of text encoders: from the model's own folder, else CLIP's."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from graphflow.errors import ModelError, ModelMismatch
from graphflow.models.catalog import ModelCatalog
from graphflow.models.description import ModelDescription
from graphflow.models.detectors.families import DIFFUSION_FAMILIES

CLIP_FOLDER = "clip-vit-large-patch14"
CLIP_ON_HUB = "openai/clip-vit-large-patch14"

_FAMILIES = {family.name: family for family in DIFFUSION_FAMILIES}


def load_tokenizer(
    description: ModelDescription, *, vocabulary: int, catalog: ModelCatalog, part: str = "text_encoder"
) -> Any:
    """The `transformers` tokenizer of a text encoder: its own, else CLIP's from the models folder, else CLIP's from the hub.

    CLIP's pads prompts as the text encoder learned it: with the end token, or with token 0 for those of OpenCLIP.
    `vocabulary` is the number of tokens that the text encoder knows. Raises ModelError if there is none, ModelMismatch if it
    makes tokens that the text encoder does not know.
    """
    own = description.tokenizers.get(part)
    folder = own or _clip_tokenizer(description, catalog)
    family = _FAMILIES.get(description.family)
    is_open_clip = family is not None and part in family.open_clip
    tokenizer = _read(folder, _state_of(folder), pads_with_zero=own is None and is_open_clip)
    if len(tokenizer) > vocabulary:
        raise ModelMismatch(
            f"the tokenizer in {folder} has {len(tokenizer)} tokens, but the text encoder of {description.path} knows {vocabulary}; "
            "a model with its own vocabulary must be a diffusers folder with its `tokenizer` in it"
        )
    return tokenizer


def _clip_tokenizer(description: ModelDescription, catalog: ModelCatalog) -> Path:
    if (path := catalog.locate(CLIP_FOLDER, "tokenizers")) is not None:
        return path
    try:
        return catalog.resolve(CLIP_ON_HUB, "tokenizers")
    except ModelError as error:
        raise ModelError(
            f"{description.path} comes without a tokenizer, and CLIP's is not on this machine. Put the tokenizer files of "
            f"{CLIP_ON_HUB} into {catalog.models_folder / 'tokenizers' / CLIP_FOLDER}, or go online once. ({error})"
        ) from error


def _state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of a folder's files: another state is another tokenizer."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files)


@lru_cache(maxsize=16)
def _read(folder: Path, state: tuple[tuple[str, int, int], ...], *, pads_with_zero: bool) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().split("\n", 1)[0][:200]
        raise ModelError(f"the tokenizer in {folder} cannot be read: {reason}") from error
    if pads_with_zero:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(0)
    return tokenizer
