"""`record.json`: what a stored result is, who made it, and how to tell that it is whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blake3 import blake3

from graphflow.cache.classes import DecodeError

FORMAT = 1
"""Version of the record; results of other versions are made again."""


@dataclass(frozen=True, eq=False)
class Record:
    """A stored result without its tensors."""

    key: str
    node_type: str
    seconds: float
    """That it took to make."""
    created: float
    """Seconds since the epoch."""
    structure: Any
    """The value as the codec gives it."""
    entries: Mapping[str, str] = field(default_factory=dict)
    """Kind of each entry of the tensor file, `tensor` or `array`, by name."""
    artifacts: tuple[str, ...] = ()
    """Names of the artifacts that the value speaks of."""
    explain: Mapping[str, Any] = field(default_factory=dict)
    """The parts of the key, as its maker named them."""
    tensor_bytes: int = 0
    """Size of the tensor file; 0 when there is none."""
    tensor_digest: str = ""
    """blake3 of the tensor file, hexadecimal; empty when there is none."""

    def to_json(self) -> bytes:
        """The record's file: a JSON object that begins with a checksum of the rest of its text."""
        body = json.dumps({"format": FORMAT, **vars(self)}, separators=(",", ":"), default=str).encode("ascii")
        return _opening(body) + body[1:]

    @classmethod
    def from_json(cls, data: bytes) -> Record:
        """Read a record's file. Raises DecodeError when it is damaged or of another format."""
        body = b"{" + data[_OPENING_BYTES:]
        if data[:_OPENING_BYTES] != _opening(body):
            raise DecodeError("the checksum of the record does not match")
        try:
            content = json.loads(data)
            del content["checksum"]
            if content.pop("format") != FORMAT:
                raise DecodeError("the record is of another format")
            content["artifacts"] = tuple(content["artifacts"])
            return cls(**content)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DecodeError(f"the record cannot be read ({type(error).__name__}: {error})") from error


def _opening(body: bytes) -> bytes:
    return b'{"checksum":"' + blake3(body).hexdigest().encode("ascii") + b'",'


_OPENING_BYTES = len(_opening(b""))
