"""Weighted, long and edited prompts as a text encoder reads them."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from graphflow.diffusion import (
    EncodedTokens,
    count_tokens,
    encode_prompt,
    literal_prompt,
    parse_prompt,
    read_prompt,
    read_timed_prompt,
    read_tokens,
    timed_conditioning,
)
from graphflow.diffusion.prompts import prompt_tokens, weighed
from graphflow.models.textual_inversion import LearnedWords, learned_words
from graphflow.zoo.tokenizer import write_tokenizer

LENGTH = 12
WIDTH = 16
WORDS = ("red", "blue", "circle", "star", "ring", "sand", "night")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder, WORDS, tokens=LENGTH)
    return AutoTokenizer.from_pretrained(str(folder))


def text_model(tokenizer: Any, kind: Any = CLIPTextModel, *, end: int | None = None) -> Any:
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2,
        max_position_embeddings=LENGTH, projection_dim=8, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id if end is None else end, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return kind(config).eval()


@pytest.fixture(scope="module")
def encoder(tokenizer: Any) -> Any:
    return text_model(tokenizer)


def read(encoder: Any, tokenizer: Any, text: str, **options: Any) -> EncodedTokens:
    (prompt,) = parse_prompt(text)
    return read_timed_prompt(encoder, tokenizer, prompt, **options)


def hidden_of(encoder: Any, tokenizer: Any, text: str) -> Tensor:
    return encode_prompt(encoder, tokenizer, text).entries[0].tokens


@pytest.mark.parametrize("text", ["a red circle on sand", "", "A  Red\ncircle", "red, blue: star!", r"a\b", "ünï"])
@pytest.mark.parametrize("clip_skip", [0, 1])
def test_a_plain_prompt_that_fits_is_read_as_ever_to_the_bit(
    encoder: Any, tokenizer: Any, text: str, clip_skip: int
) -> None:
    (plain,) = encode_prompt(encoder, tokenizer, text, clip_skip=clip_skip).entries
    encoded = read(encoder, tokenizer, text, clip_skip=clip_skip)
    assert torch.equal(encoded.hidden, plain.tokens)
    assert plain.pooled is not None
    assert torch.equal(encoded.pooled, plain.pooled)


def test_random_plain_prompts_have_the_tokenizers_own_ids(encoder: Any, tokenizer: Any) -> None:
    draw = random.Random(0)
    for _ in range(20):
        text = " ".join(draw.choices(WORDS, k=draw.randint(1, LENGTH - 2)))
        assert torch.equal(read(encoder, tokenizer, text).hidden, hidden_of(encoder, tokenizer, text))


def test_a_long_prompt_is_its_chunks_in_a_row_with_the_first_ones_pooled_text(encoder: Any, tokenizer: Any) -> None:
    first, second = "red " * 10, "blue " * 4
    encoded = read(encoder, tokenizer, first + second)
    expected = torch.cat([hidden_of(encoder, tokenizer, text) for text in (first, second)], dim=1)
    torch.testing.assert_close(encoded.hidden, expected)
    assert encoded.hidden.shape == (1, 2 * LENGTH, WIDTH)
    torch.testing.assert_close(encoded.pooled, encode_prompt(encoder, tokenizer, first).entries[0].pooled)


def test_break_and_a_comma_end_a_chunk(encoder: Any, tokenizer: Any) -> None:
    apart = torch.cat([hidden_of(encoder, tokenizer, text) for text in ("red star", "blue ring")], dim=1)
    torch.testing.assert_close(read(encoder, tokenizer, "red star BREAK blue ring").hidden, apart)
    phrase = "red " * 8 + ","
    parts = torch.cat([hidden_of(encoder, tokenizer, text) for text in (phrase, "blue star ring")], dim=1)
    torch.testing.assert_close(read(encoder, tokenizer, f"{phrase} blue star ring").hidden, parts)


@pytest.mark.parametrize("weight", [1.3, 0.4, 0.0, -1.0])
def test_a_weight_moves_its_words_away_from_the_empty_prompt(encoder: Any, tokenizer: Any, weight: float) -> None:
    encoded = read(encoder, tokenizer, f"red (blue circle:{weight}) star").hidden
    plain, empty = hidden_of(encoder, tokenizer, "red blue circle star"), hidden_of(encoder, tokenizer, "")
    expected = plain.clone()
    expected[:, 2:4] = empty[:, 2:4] + weight * (plain - empty)[:, 2:4]  # after the begin token and "red"
    torch.testing.assert_close(encoded, expected)


def test_weights_that_keep_the_mean_scale_their_chunk_only(encoder: Any, tokenizer: Any) -> None:
    encoded = read(encoder, tokenizer, "red (blue:1.5) star BREAK ring", weighting="keep_mean").hidden
    plain = hidden_of(encoder, tokenizer, "red blue star")
    scaled = plain.clone()
    scaled[:, 2] *= 1.5
    torch.testing.assert_close(encoded[:, :LENGTH], scaled * (plain.mean() / scaled.mean()))
    torch.testing.assert_close(encoded[:, :LENGTH].mean(), plain.mean())
    torch.testing.assert_close(encoded[:, LENGTH:], hidden_of(encoder, tokenizer, "ring"))


def test_weight_one_changes_no_number() -> None:
    hidden = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    empty = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(1))
    for weighting in ("from_empty", "keep_mean"):
        assert torch.equal(weighed(hidden, torch.ones(2, 3), empty=empty, weighting=weighting), hidden)  # type: ignore[arg-type]


def test_escaped_brackets_are_read_as_brackets(encoder: Any, tokenizer: Any) -> None:
    escaped = read(encoder, tokenizer, r"red \(star\)").hidden
    assert torch.equal(escaped, hidden_of(encoder, tokenizer, "red (star)"))
    literal = read_timed_prompt(encoder, tokenizer, literal_prompt("red (star)")).hidden
    assert torch.equal(literal, escaped)


def test_an_edited_prompt_has_an_entry_for_each_stretch_of_the_schedule(encoder: Any, tokenizer: Any) -> None:
    prompts = parse_prompt("[red:blue:0.4] star")
    read = [read_timed_prompt(encoder, tokenizer, prompt) for prompt in prompts]
    early, late = timed_conditioning(prompts, read).entries
    assert (early.start, early.end, late.start, late.end) == (0.0, 0.4, 0.4, 1.0)
    assert torch.equal(early.tokens, hidden_of(encoder, tokenizer, "red star"))
    assert torch.equal(late.tokens, hidden_of(encoder, tokenizer, "blue star"))


def test_xls_encoders_read_their_own_layer_and_project_the_first_chunk(tokenizer: Any) -> None:
    projecting = text_model(tokenizer, CLIPTextModelWithProjection)
    encoded = read(projecting, tokenizer, "red star BREAK (blue:1.5) ring", read=read_tokens)
    first = read_prompt(projecting, tokenizer, "red star")
    torch.testing.assert_close(encoded.hidden[:, :LENGTH], first.hidden)
    torch.testing.assert_close(encoded.pooled, first.pooled)
    plain, empty = (read_prompt(projecting, tokenizer, text).hidden for text in ("blue ring", ""))
    torch.testing.assert_close(encoded.hidden[:, LENGTH + 1], empty[:, 1] + 1.5 * (plain - empty)[:, 1])


def test_a_prompt_is_filled_up_to_what_another_encoder_read(encoder: Any, tokenizer: Any) -> None:
    longer = read(encoder, tokenizer, "red BREAK star BREAK ring")
    filled = read(encoder, tokenizer, "blue star", least=longer).hidden
    assert filled.shape == longer.hidden.shape
    torch.testing.assert_close(filled[:, :LENGTH], hidden_of(encoder, tokenizer, "blue star"))
    torch.testing.assert_close(filled[:, 2 * LENGTH :], hidden_of(encoder, tokenizer, ""))


@pytest.fixture(params=[None, 2], ids=["end by its id", "end by the highest id"])
def taught(tokenizer: Any, request: pytest.FixtureRequest) -> Any:
    """An encoder with two learned words: the vectors of known ones."""
    encoder = text_model(tokenizer, end=request.param)
    base = encoder.embeddings.token_embedding
    red, star = (base.weight[tokenizer.convert_tokens_to_ids(f"{word}</w>")].detach() for word in ("red", "star"))
    encoder.embeddings.token_embedding = LearnedWords(base, {"Red-Star": torch.stack([red, star]), "<ruby>": red[None]})
    return encoder


@pytest.mark.parametrize(
    "text",
    [
        "a red-star ring",
        "a embedding:red-star ring",
        "a embedding:Red-Star.safetensors ring",
        "a <Red-Star> ring",
        "a (embedding:red-star:1) ring",
    ],
)
def test_a_learned_word_is_read_by_its_name(taught: Any, tokenizer: Any, text: str) -> None:
    encoded, spelled = (read(taught, tokenizer, prompt) for prompt in (text, "a red star ring"))
    assert torch.equal(encoded.hidden, spelled.hidden)
    assert torch.equal(encoded.pooled, spelled.pooled)


def test_learned_words_are_weighed_and_kept_apart_from_longer_ones(taught: Any, tokenizer: Any) -> None:
    weighted, spelled = (read(taught, tokenizer, text).hidden for text in ("a (<ruby>:1.4)", "a (red:1.4)"))
    torch.testing.assert_close(weighted, spelled)
    assert count_tokens(taught, tokenizer, literal_prompt("red-star")) == (2, 1)
    assert count_tokens(taught, tokenizer, literal_prompt("red-stars"))[0] > 2
    assert count_tokens(taught, tokenizer, literal_prompt("infra-<ruby>-red-star-red"))[0] > 7


@pytest.mark.parametrize("text", ["embedding:<ruby>", "embedding:ruby", "embedding:ruby.", "<RUBY>", "(<ruby>:1.0)"])
def test_a_word_in_angle_brackets_is_called_with_or_without_them(taught: Any, tokenizer: Any, text: str) -> None:
    (prompt,) = parse_prompt(text)
    (section,) = prompt_tokens(tokenizer, prompt, learned_words(taught))
    assert section[0].ids == (-3,)


@pytest.mark.parametrize("text", ["embedding: a plot", "an embedding", "a <tag>"])
def test_the_word_embedding_alone_is_text(taught: Any, tokenizer: Any, text: str) -> None:
    (section,) = prompt_tokens(tokenizer, literal_prompt(text), learned_words(taught))
    assert [id for token in section for id in token.ids] == tokenizer(text, add_special_tokens=False).input_ids


@pytest.mark.parametrize("text", ["a embedding:nowhere ring", "(embedding:nowhere:1.2)"])
def test_an_embedding_that_is_not_loaded_is_named_with_those_that_are(taught: Any, tokenizer: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r'"nowhere".*it has: <ruby>, red-star.*load_embedding'):
        read(taught, tokenizer, text)


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("", (0, 1)),
        ("a red star", (3, 1)),
        ("(red:1.2) star", (2, 1)),
        ("red BREAK star", (2, 2)),
        ("red " * 11, (11, 2)),
    ],
)
def test_tokens_and_chunks_are_counted(encoder: Any, tokenizer: Any, text: str, counted: tuple[int, int]) -> None:
    (prompt,) = parse_prompt(text)
    assert count_tokens(encoder, tokenizer, prompt) == counted
