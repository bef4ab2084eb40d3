from __future__ import annotations

import copy
import logging
from dataclasses import replace
from typing import Any

import pytest
import torch
from graphflow.packs.builtin.text.choose_text import ChooseText
from graphflow.packs.builtin.text.count_tokens import CountTokens
from graphflow.packs.builtin.text.encode_text import EncodeText
from graphflow.packs.builtin.text.format_text import FormatText
from graphflow.packs.builtin.text.join_text import JoinText
from graphflow.packs.builtin.text.replace_text import ReplaceText
from graphflow.packs.builtin.text.text import Text
from graphflow.packs.builtin.text.text_list import TextList

from graphflow import Image, TextEncoder
from graphflow.models.textual_inversion import LearnedWords
from graphflow.testing import FakeContext, FakeModels, run_node


def test_a_prompt_becomes_the_text_encoders_hidden_states(
    ctx: FakeContext, modules: dict[str, Any], tokenizer: Any, text_encoder: TextEncoder
) -> None:
    (entry,) = run_node(EncodeText(text_encoder=text_encoder, text="a red circle"), ctx)["conditioning"].entries
    ids = tokenizer("a red circle", padding="max_length", max_length=8, return_tensors="pt").input_ids
    with torch.no_grad():
        expected = modules["text_encoder"](ids).last_hidden_state
    assert entry.tokens.shape == expected.shape == (1, 8, 16)
    torch.testing.assert_close(entry.tokens, expected)


def test_clip_skip_takes_an_earlier_layer(ctx: FakeContext, text_encoder: TextEncoder) -> None:
    last, earlier = (
        run_node(EncodeText(text_encoder=text_encoder, text="a red circle", clip_skip=skip), ctx)["conditioning"]
        for skip in (0, 1)
    )
    assert not torch.allclose(last.entries[0].tokens, earlier.entries[0].tokens)


def test_clip_skip_beyond_the_layers_is_refused(ctx: FakeContext, text_encoder: TextEncoder) -> None:
    with pytest.raises(ValueError, match="use 0 to 1"):
        run_node(EncodeText(text_encoder=text_encoder, clip_skip=2), ctx)


def test_without_syntax_a_prompt_that_is_too_long_is_cut_with_a_warning(
    ctx: FakeContext, text_encoder: TextEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    node = EncodeText(text_encoder=text_encoder, text="a red circle on sand a blue circle", syntax=False)
    (entry,) = run_node(node, ctx)["conditioning"].entries
    assert entry.tokens.shape == (1, 8, 16)
    assert "left out" in caplog.text
    assert "blue circle" in caplog.text


def test_a_long_prompt_is_read_in_chunks(
    ctx: FakeContext, text_encoder: TextEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    (entry,) = run_node(EncodeText(text_encoder=text_encoder, text="a red circle on sand a blue circle"), ctx)[
        "conditioning"
    ].entries
    assert entry.tokens.shape == (1, 16, 16)
    assert caplog.text == ""


def test_an_edited_prompt_has_an_entry_for_each_stretch_of_the_way(ctx: FakeContext, text_encoder: TextEncoder) -> None:
    edited, plain = (
        run_node(EncodeText(text_encoder=text_encoder, text=text), ctx)["conditioning"].entries
        for text in ("a [red:blue:0.4] circle", "a blue circle")
    )
    assert [(entry.start, entry.end) for entry in edited] == [(0.0, 0.4), (0.4, 1.0)]
    assert torch.equal(edited[1].tokens, plain[0].tokens)


def test_the_two_ways_of_weighing_differ_and_without_syntax_there_is_none(
    ctx: FakeContext, text_encoder: TextEncoder
) -> None:
    def tokens(text: str, **settings: Any) -> torch.Tensor:
        node = EncodeText(text_encoder=text_encoder, text=text, **settings)
        found: torch.Tensor = run_node(node, ctx)["conditioning"].entries[0].tokens
        return found

    ways = [tokens("a (red:1.5)"), tokens("a (red:1.5)", weights="keep_mean"), tokens("a red")]
    assert not any(torch.allclose(one, other) for one, other in ((ways[0], ways[1]), (ways[0], ways[2])))
    assert torch.equal(tokens("(a)", syntax=False), tokens(r"\(a\)"))


def test_both_encoders_read_as_many_chunks_also_when_a_word_is_longer_in_one(
    modules: dict[str, Any], tokenizer: Any, text_encoder: TextEncoder
) -> None:
    def taught(vectors: int) -> Any:
        encoder = copy.deepcopy(modules["text_encoder"])
        base = encoder.embeddings.token_embedding
        encoder.embeddings.token_embedding = LearnedWords(base, {"gem": torch.zeros(vectors, 16)})
        return encoder

    tokenizers = {"text_encoder": tokenizer, "text_encoder_2": tokenizer}
    first = replace(text_encoder, family="sdxl")
    both = replace(first, second=replace(first, part="text_encoder_2"))
    for lengths in ((1, 4), (4, 1)):
        models = {part: taught(vectors) for part, vectors in zip(tokenizers, lengths, strict=True)}
        ctx = FakeContext(models=FakeModels(models, tokenizers=tokenizers))
        (entry,) = run_node(EncodeText(text_encoder=both, text="a red circle on gem"), ctx)["conditioning"].entries
        assert entry.tokens.shape == (1, 16, 32)
        assert entry.pooled.shape == (1, 16)


def test_tokens_are_counted_as_they_are_read(ctx: FakeContext, text_encoder: TextEncoder) -> None:
    node = CountTokens(text_encoder=text_encoder, text="a (red:1.2) [circle:circle on sand:0.5] BREAK blue")
    assert run_node(node, ctx) == {"tokens": 6, "chunks": 2}
    assert run_node(CountTokens(text_encoder=text_encoder), ctx) == {"tokens": 0, "chunks": 1}


def test_a_seed_chooses_among_texts() -> None:
    chosen = {run_node(ChooseText(text="a {red|blue} circle", seed=seed))["text"] for seed in range(20)}
    assert chosen == {"a red circle", "a blue circle"}


def test_words_are_replaced_wherever_they_stand() -> None:
    assert run_node(ReplaceText(text="a cat, a cat.", find="cat", replacement="dog")) == {"text": "a dog, a dog."}
    assert run_node(ReplaceText(text="a (cat)", find="(cat)")) == {"text": "a "}
    assert run_node(ReplaceText(text="a cat", replacement="dog")) == {"text": "a cat"}


def test_text_is_handed_on() -> None:
    assert run_node(Text(text="Ünïcode\nand lines")) == {"text": "Ünïcode\nand lines"}


def test_joined_texts_leave_blank_ones_out() -> None:
    assert run_node(JoinText(texts=["a fox", " ", "oil on canvas"])) == {"text": "a fox, oil on canvas"}
    assert run_node(JoinText(texts=["a", "b"], separator="")) == {"text": "ab"}


def test_a_text_list_keeps_its_order() -> None:
    assert run_node(TextList(texts=["b", "a", "b"])) == {"texts": ["b", "a", "b"]}


@pytest.mark.parametrize(
    ("value", "written"), [(7.0, "7"), (0.1 + 0.2, "0.3"), (20, "20"), ("x", "x"), (True, "yes"), (1e-7, "1e-07")]
)
def test_values_are_written_as_people_do(value: Any, written: str) -> None:
    assert run_node(FormatText(template="<{value}>", value=value)) == {"text": f"<{written}>"}


def test_braces_are_only_a_gap() -> None:
    text = run_node(FormatText(template="{value.__class__} {0} {value}", value=1))["text"]
    assert text == "{value.__class__} {0} 1"


def test_a_picture_cannot_be_written_into_a_text() -> None:
    with pytest.raises(ValueError, match="a Image cannot be written"):
        run_node(FormatText(value=Image(torch.zeros(1, 3, 2, 2))))
