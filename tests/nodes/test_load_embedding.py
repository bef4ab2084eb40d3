from __future__ import annotations

from dataclasses import replace

import pytest
from graphflow.packs.builtin.loaders.load_embedding import LoadEmbedding

from graphflow import Adapter, TextEncoder, TextualInversionPatch
from graphflow.testing import FakeContext, FakeModels, run_node


@pytest.fixture
def ctx() -> FakeContext:
    names = ("styles/fine-lines.pt", "new words (v2).safetensors", "owner/name:style.safetensors")
    return FakeContext(models=FakeModels(adapters={name: Adapter(name, "f1", ("text_encoder",)) for name in names}))


def test_the_word_is_the_files_name(ctx: FakeContext, text_encoder: TextEncoder) -> None:
    taught = run_node(LoadEmbedding(text_encoder=text_encoder, file="styles/fine-lines.pt"), ctx)["text_encoder"]
    assert taught == text_encoder.patched(TextualInversionPatch("styles/fine-lines.pt", "f1", "fine-lines"))
    other = run_node(LoadEmbedding(text_encoder=taught, file="owner/name:style.safetensors"), ctx)["text_encoder"]
    assert [patch.word for patch in other.patches] == ["fine-lines", "style"]


def test_both_encoders_of_a_family_that_reads_with_two_learn_it(ctx: FakeContext, text_encoder: TextEncoder) -> None:
    second = replace(text_encoder, part="text_encoder_2")
    node = LoadEmbedding(text_encoder=replace(text_encoder, second=second), file="styles/fine-lines.pt", word="<lines>")
    taught = run_node(node, ctx)["text_encoder"]
    assert [patch.part for patch in taught.patches] == ["text_encoder"]
    assert [(patch.part, patch.word) for patch in taught.second.patches] == [("text_encoder_2", "<lines>")]


def test_a_word_that_a_prompt_cannot_hold_is_refused(ctx: FakeContext, text_encoder: TextEncoder) -> None:
    with pytest.raises(ValueError, match=r'"new words \(v2\)" cannot be told apart in a prompt; choose a word'):
        run_node(LoadEmbedding(text_encoder=text_encoder, file="new words (v2).safetensors"), ctx)
    named = LoadEmbedding(text_encoder=text_encoder, file="new words (v2).safetensors", word="new")
    assert run_node(named, ctx)["text_encoder"].patches


def test_two_words_of_one_name_are_refused(ctx: FakeContext, text_encoder: TextEncoder) -> None:
    once = run_node(LoadEmbedding(text_encoder=text_encoder, file="styles/fine-lines.pt"), ctx)["text_encoder"]
    with pytest.raises(ValueError, match='knows the word "Fine-Lines" already'):
        run_node(LoadEmbedding(text_encoder=once, file="styles/fine-lines.pt", word="Fine-Lines"), ctx)
