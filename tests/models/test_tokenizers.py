"""Which tokenizer a text encoder gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphflow.errors import ModelError, ModelMismatch
from graphflow.models.catalog import ModelCatalog
from graphflow.models.store import ModelStore
from graphflow.ports import TextEncoder
from tests.models.tiny_families import networks_of, states_of, write_folder, write_original


def write_tokenizer(folder: Path, words: list[str]) -> Path:
    """A CLIP tokenizer of whole words."""
    folder.mkdir(parents=True)
    tokens = ["<|startoftext|>", "<|pad|>", "<|endoftext|>", *(f"{word}</w>" for word in words)]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    config = {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 16, "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|pad|>",
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def text_encoder(store: ModelStore, name: str) -> TextEncoder:
    recipe = store.inspect(name).parts["text_encoder"]
    assert isinstance(recipe, TextEncoder)
    return recipe


def test_a_models_own_tokenizer_is_used(store: ModelStore) -> None:
    write_tokenizer(store.catalog.zoo_folder / "tiny-sd" / "tokenizer", ["a", "b"])
    tokenizer = store.tokenizer(text_encoder(store, "tiny-sd"))
    assert tokenizer("a b")["input_ids"] == [0, 3, 4, 2]


def test_a_single_file_gets_clips_from_the_models_folder(store: ModelStore) -> None:
    write_tokenizer(store.catalog.models_folder / "tokenizers" / "clip-vit-large-patch14", ["c"])
    assert store.tokenizer(text_encoder(store, "single"))("c")["input_ids"] == [0, 3, 2]


def test_a_tokenizer_that_knows_more_than_the_text_encoder_is_a_mismatch(store: ModelStore) -> None:
    words = [f"w{number}" for number in range(200)]
    write_tokenizer(store.catalog.models_folder / "tokenizers" / "clip-vit-large-patch14", words)
    with pytest.raises(ModelMismatch, match=r"has 203 tokens, but the text encoder .* knows 100"):
        store.tokenizer(text_encoder(store, "single"))


def test_without_any_tokenizer_the_error_says_where_to_put_one(store: ModelStore, catalog: ModelCatalog) -> None:
    with pytest.raises(ModelError, match="Put the tokenizer files of openai/clip-vit-large-patch14 into"):
        store.tokenizer(text_encoder(store, "single"))


def test_a_damaged_tokenizer_is_named(store: ModelStore) -> None:
    folder = write_tokenizer(store.catalog.zoo_folder / "tiny-sd" / "tokenizer", ["a"])
    (folder / "vocab.json").write_text("{")
    (folder / "tokenizer_config.json").write_text("{")
    with pytest.raises(ModelError, match=r"tokenizer in .* cannot be read"):
        store.tokenizer(text_encoder(store, "tiny-sd"))


def test_each_text_encoder_has_the_tokenizer_that_pads_as_it_learned(store: ModelStore) -> None:
    checkpoints = store.catalog.models_folder / "checkpoints"
    write_original(checkpoints / "xl.safetensors", "sdxl", states_of(networks_of("sdxl")))
    write_original(checkpoints / "sd2.safetensors", "sd2", states_of(networks_of("sd2")))
    write_tokenizer(store.catalog.models_folder / "tokenizers" / "clip-vit-large-patch14", ["a"])
    padded = {}
    for name in ("xl", "sd2", "single"):
        for part, recipe in store.inspect(name).parts.items():
            if isinstance(recipe, TextEncoder):
                ids = store.tokenizer(recipe)("a", padding="max_length", max_length=6).input_ids
                padded[name, part] = ids[3:]
    assert padded == {
        ("xl", "text_encoder"): [1, 1, 1],
        ("xl", "text_encoder_2"): [0, 0, 0],
        ("sd2", "text_encoder"): [0, 0, 0],
        ("single", "text_encoder"): [1, 1, 1],
    }


def test_the_second_text_encoder_has_its_own_tokenizer(store: ModelStore) -> None:
    folder = write_folder(store.catalog.models_folder / "checkpoints" / "xl", "sdxl", networks_of("sdxl"))
    write_tokenizer(folder / "tokenizer", ["a"])
    write_tokenizer(folder / "tokenizer_2", ["b", "a"])
    parts = store.inspect("xl").parts
    tokenizers = [store.tokenizer(parts[part]) for part in ("text_encoder", "text_encoder_2")]  # type: ignore[arg-type]
    assert [tokenizer("a").input_ids for tokenizer in tokenizers] == [[0, 3, 2], [0, 4, 2]]
