"""The tokenizer of tiny-sd knows each caption word as one token and can read anything else."""

from pathlib import Path

from transformers import CLIPTokenizer

from graphflow.zoo.captions import WORDS
from graphflow.zoo.tokenizer import END, START, merges_for, write_tokenizer


def test_merges_keep_letters_in_order() -> None:
    merges = merges_for(["ring", "triangle", "a"])
    assert merges[:3] == [("r", "i"), ("ri", "n"), ("rin", "g</w>")]
    assert {"".join(pair) for pair in merges} >= {"ring</w>", "triangle</w>"}


def test_every_word_is_one_token_and_other_text_is_spelled(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, WORDS, tokens=40)
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path)
    assert all(len(tokenizer(word).input_ids) == 3 for word in WORDS)
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (START, END, END)
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("A red circle, on the Left").input_ids)
    assert tokens == [START, *(f"{word}</w>" for word in ("a", "red", "circle", ",", "on", "the", "left")), END]
    assert tokenizer.unk_token_id not in tokenizer("a fluffy cat! é 7").input_ids[1:-1]


def test_texts_are_padded_and_cut_to_the_length_of_the_model(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, WORDS, tokens=40)
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path)
    encoded = tokenizer(["", "red " * 90], padding="max_length", truncation=True).input_ids
    assert [len(ids) for ids in encoded] == [40, 40]
    assert encoded[0] == [tokenizer.bos_token_id] + [tokenizer.eos_token_id] * 39
