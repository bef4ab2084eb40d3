"""The tokenizer files of tiny-sd: CLIP's format, with one token for every word of the captions.

A CLIP tokenizer joins letters by ranked merges. The merges here are made so that each known word ends as a single token; any
other text falls back to shorter pieces and single letters, so nothing is out of vocabulary.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

__all__ = ["END", "START", "merges_for", "write_tokenizer"]

START: Final = "<|startoftext|>"
END: Final = "<|endoftext|>"
Merge = tuple[str, str]


def merges_for(words: Iterable[str]) -> list[Merge]:
    """Ranked merges under which every word becomes one token.

    New merges rank below all earlier ones, so words that are already whole stay whole.
    """
    merges: list[Merge] = []
    for word in words:
        pieces = _join([*word[:-1], word[-1] + "</w>"], merges)
        while len(pieces) > 1:
            merges.append((pieces[0], pieces[1]))
            pieces = _join(pieces, merges)
    return merges


def _join(pieces: list[str], merges: list[Merge]) -> list[str]:
    """The pieces after all merges, best ranked first, as byte-pair encoding does it."""
    ranks = {merge: rank for rank, merge in enumerate(merges)}
    while True:
        known = [pair for pair in itertools.pairwise(pieces) if pair in ranks]
        if not known:
            return pieces
        best = min(known, key=lambda pair: ranks[pair])
        joined: list[str] = []
        for piece in pieces:
            if joined and (joined[-1], piece) == best:
                joined[-1] += piece
            else:
                joined.append(piece)
        pieces = joined


def write_tokenizer(folder: Path, words: Iterable[str], *, tokens: int) -> None:
    """Write vocab.json, merges.txt and the configuration; texts are padded or cut to `tokens`."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = _byte_letters()
    merges = merges_for(words)
    pieces = [*letters, *(letter + "</w>" for letter in letters), *(one + two for one, two in merges), START, END]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(f"{one} {two}" for one, two in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": tokens,
        "do_lower_case": True,
        "add_prefix_space": False,
        **special,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")


def _byte_letters() -> list[str]:
    """The printable letter that byte-level tokenizers use for each of the 256 bytes, in CLIP's order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]
