"""Learned words: vectors that a text encoder reads in place of tokens (textual inversion; Gal et al., arXiv 2208.01618).

A file holds the vectors of one word, in one of the layouts that tools write:

    emb_params                         one tensor `[vectors, width]`
    string_to_param: {"*": tensor}     the same under a placeholder, in pickles
    {"<word>": tensor}                 `[width]` or `[vectors, width]`, as diffusers writes it
    clip_l, clip_g                     one tensor for each text encoder of Stable Diffusion XL

While a word is on an encoder, ids below zero stand for its vectors: no id of the vocabulary moves, and the end of the text stays the
highest id, by which some encoders find it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import embedding

from graphflow.errors import ModelError, ModelMismatch, UnknownModelFormat
from graphflow.models.description import ModelDescription
from graphflow.models.headers import holds_pickle, read_safetensors_header
from graphflow.models.patches import PATCHES, PatchFiles, Undo
from graphflow.models.weights import read_torch_content
from graphflow.ports.model import ModelRecipe, TextualInversionPatch

KIND = "embeddings"
"""Folder of such files in the models folder."""

_BY_ENCODER = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}
_SINGLE = ""


class LearnedWords(nn.Module):
    """A token embedding with vectors of learned words, whose ids are below zero: -1 the first."""

    def __init__(self, base: nn.Embedding, words: Mapping[str, Tensor]) -> None:
        """`words` are vectors `[count, width]` by word; they take the type and the place of the base's."""
        super().__init__()
        self.weight = base.weight
        self.vectors = nn.Buffer(torch.cat([vectors.to(base.weight) for vectors in words.values()]), persistent=False)
        self.ids: dict[str, tuple[int, ...]] = {}
        """Ids by word, as many as the word has vectors."""
        first = 1
        for word, vectors in words.items():
            self.ids[word] = tuple(-place for place in range(first, first + len(vectors)))
            first += len(vectors)

    def forward(self, ids: Tensor) -> Tensor:
        """`[batch, tokens]` ids as `[batch, tokens, width]`."""
        known = embedding(ids.clamp(min=0), self.weight)
        learned = embedding((-1 - ids).clamp(min=0), self.vectors)
        return torch.where((ids < 0)[..., None], learned, known)


def learned_words(encoder: Any) -> dict[str, tuple[int, ...]]:  # transformers' text models have no type in common
    """Ids of the words that are on a text encoder now; empty for one as it came from its file."""
    tokens = _embeddings(encoder).token_embedding
    return dict(tokens.ids) if isinstance(tokens, LearnedWords) else {}


@PATCHES.joint_applier(TextualInversionPatch)
def apply_words(module: nn.Module, patches: Sequence[TextualInversionPatch], files: PatchFiles) -> Undo:
    """Put the words of all patches on a text encoder; the undo puts back the embedding that was there.

    Raises ModelMismatch for vectors of another width, ModelError for a damaged file or two words of one name.
    """
    embeddings = _embeddings(module)
    base = embeddings.token_embedding
    words: dict[str, Tensor] = {}
    for patch in patches:
        if patch.word.casefold() in map(str.casefold, words):
            raise ModelError(f'two embeddings are to be called "{patch.word}"; give one of them another word')
        path = files.path(patch.file, patch.fingerprint, KIND)
        vectors = _of_part(path, read_embedding(path), patch.part)
        _check_width(path, vectors, base.weight.shape[1], patch.part)
        words[patch.word] = vectors
    embeddings.token_embedding = LearnedWords(base, words)

    def undo() -> None:
        embeddings.token_embedding = base

    return undo


def fitting_parts(path: Path, bases: Sequence[tuple[ModelRecipe, ModelDescription]]) -> tuple[str, ...]:
    """The text encoders among `bases` that the file has vectors for: all of them.

    Raises ModelMismatch when it lacks one or has vectors for another one, or when their widths differ.
    """
    found = read_embedding(path)
    parts = [recipe.part for recipe, _ in bases]
    reads_alone = any(recipe.family == "sdxl_refiner" for recipe, _ in bases)  # with one of XL's two encoders
    if (left := sorted(found.keys() - {_SINGLE, *parts})) and not reads_alone:
        raise ModelMismatch(
            f"{path} also has vectors for a {' and a '.join(left)}, which this model does not read prompts with; "
            "it is made for Stable Diffusion XL"
        )
    if len(parts) > 1 and _SINGLE in found:
        raise ModelMismatch(
            f"{path} has vectors {found[_SINGLE].shape[1]} wide for one text encoder, but this model reads prompts with {len(parts)}; "
            "it is made for another family"
        )
    for recipe, description in bases:
        width = int(description.parts[recipe.part].config["hidden_size"])
        _check_width(path, _of_part(path, found, recipe.part), width, recipe.part)
    return tuple(parts)


def read_embedding(path: Path) -> dict[str, Tensor]:
    """Vectors `[count, width]`, float32, by the text encoder they are for; under "" where the file does not say.

    Raises UnknownModelFormat for a file of another kind, ModelError for numbers that are not finite or a damaged file.
    """
    tensors = _tensors(path)
    if tensors.keys() & _BY_ENCODER.keys():
        chosen = {part: tensors[name] for name, part in _BY_ENCODER.items() if name in tensors}
    elif "emb_params" in tensors:
        chosen = {_SINGLE: tensors["emb_params"]}
    elif len(tensors) == 1:
        chosen = {_SINGLE: next(iter(tensors.values()))}
    else:
        chosen = {}
    vectors = {part: tensor.float().reshape(-1, tensor.shape[-1]) for part, tensor in chosen.items() if tensor.ndim}
    if not vectors or any(tensor.ndim > 2 or not tensor.numel() for tensor in chosen.values()):
        shown = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in list(tensors.items())[:4]) or "no tensor"
        raise UnknownModelFormat(
            f"{path} is no textual inversion: it holds {shown}{' and more' if len(tensors) > 4 else ''}; accepted are emb_params, "
            "string_to_param, clip_l with clip_g, or one tensor of [vectors, width]"
        )
    if not all(bool(torch.isfinite(tensor).all()) for tensor in vectors.values()):
        raise ModelError(f"{path} is damaged: it holds numbers that are not finite (NaN or infinity); fetch it again")
    return vectors


def _tensors(path: Path) -> dict[str, Tensor]:
    if not holds_pickle(path):
        read_safetensors_header(path)  # tells what is wrong with a damaged file
        try:
            return dict(load_file(path))
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{path} cannot be read: {error}") from error
    content = read_torch_content(path)
    if isinstance(content, Mapping) and isinstance(content.get("string_to_param"), Mapping):
        content = content["string_to_param"]
    if not isinstance(content, Mapping):
        raise UnknownModelFormat(f"{path} is no textual inversion: it holds a {type(content).__name__}")
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _of_part(path: Path, found: Mapping[str, Tensor], part: str) -> Tensor:
    for name in (part, _SINGLE):
        if name in found:
            return found[name]
    raise ModelMismatch(f"{path} has no vectors for the {part}; it has them for the {' and the '.join(found)}")


def _check_width(path: Path, vectors: Tensor, width: int, part: str) -> None:
    if vectors.shape[1] != width:
        raise ModelMismatch(
            f"{path} has vectors {vectors.shape[1]} wide, but the {part} of this model takes {width}; it is made for another family"
        )


def _embeddings(encoder: Any) -> Any:
    """Where a CLIP text model has its embeddings; one with a projection keeps the text model inside."""
    return cast(Any, getattr(encoder, "text_model", encoder)).embeddings
