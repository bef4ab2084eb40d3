from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from graphflow.diffusion import encode_prompt, encode_tokens, token_ids

LENGTH = 6
WORDS = ["<|startoftext|>", "<|endoftext|>", "a</w>", "red</w>", "blue</w>", "fox</w>", "owl</w>", "and</w>"]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    letters = [chr(code) + end for code in range(97, 123) for end in ("", "</w>")]
    merges = []
    for word in ("red", "blue", "fox", "owl", "and"):
        merges += [f"{word[:cut]} {word[cut]}{'</w>' if cut + 1 == len(word) else ''}" for cut in range(1, len(word))]
    pieces = [merge.replace(" ", "") for merge in merges]
    names = list(dict.fromkeys(letters + pieces + WORDS))
    (folder / "vocab.json").write_text(json.dumps({name: index for index, name in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(dict.fromkeys(merges)) + "\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=LENGTH)


def config(tokenizer: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=LENGTH,
        projection_dim=8,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


@pytest.fixture(scope="module")
def encoder(tokenizer: Any) -> Any:
    torch.manual_seed(0)
    return CLIPTextModel(config(tokenizer)).eval()


def test_a_prompt_is_padded_and_encoded_after_the_final_norm(tokenizer: Any, encoder: Any) -> None:
    ids, left_out = token_ids(tokenizer, "a red fox", length=LENGTH)
    assert ids.shape == (1, LENGTH)
    assert left_out == ""
    with torch.no_grad():
        expected = encoder(ids)
    (entry,) = encode_prompt(encoder, tokenizer, "a red fox").entries
    assert torch.equal(entry.tokens, expected.last_hidden_state)
    assert entry.pooled is not None
    assert torch.equal(entry.pooled, expected.pooler_output)


def test_an_empty_prompt_is_a_prompt(tokenizer: Any, encoder: Any) -> None:
    assert encode_prompt(encoder, tokenizer, "").entries[0].tokens.shape == (1, LENGTH, 8)


def test_a_prompt_that_is_too_long_is_cut_and_says_which_words_were_lost(
    tokenizer: Any, encoder: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        cut = encode_prompt(encoder, tokenizer, "a red fox and a blue owl")
    assert 'left out: "a blue owl"' in caplog.text
    assert torch.equal(cut.entries[0].tokens, encode_prompt(encoder, tokenizer, "a red fox and").entries[0].tokens)


def test_a_prompt_that_just_fits_loses_nothing(tokenizer: Any, encoder: Any, caplog: pytest.LogCaptureFixture) -> None:
    encode_prompt(encoder, tokenizer, "a red fox and")
    assert caplog.text == ""


def test_skipped_layers_still_pass_the_final_norm(tokenizer: Any, encoder: Any) -> None:
    ids, _ = token_ids(tokenizer, "a red fox", length=LENGTH)
    with torch.no_grad():
        hidden = encoder(ids, output_hidden_states=True).hidden_states
        expected = encoder.final_layer_norm(hidden[-2])
    assert torch.equal(encode_tokens(encoder, ids, clip_skip=1).hidden, expected)
    torch.testing.assert_close(encode_tokens(encoder, ids).hidden, encoder.final_layer_norm(hidden[-1]))


def test_models_with_a_projection_are_encoded_by_the_text_model_inside(tokenizer: Any) -> None:
    projecting = CLIPTextModelWithProjection(config(tokenizer)).eval()
    ids, _ = token_ids(tokenizer, "a red fox", length=LENGTH)
    encoded = encode_tokens(projecting, ids, clip_skip=1)
    assert encoded.hidden.shape == (1, LENGTH, 8)
    assert not encoded.hidden.requires_grad


@pytest.mark.parametrize("skip", [-1, 3])
def test_more_layers_than_there_are_cannot_be_skipped(tokenizer: Any, encoder: Any, skip: int) -> None:
    with pytest.raises(
        ValueError, match=f"clip skip {skip} is out of range for a text encoder of 3 layers; use 0 to 2"
    ):
        encode_prompt(encoder, tokenizer, "a", clip_skip=skip)
