"""Keys: the digest of all that a result depends on. Same key, same result, in any process, after any restart.

A key covers the node's type and version, its values (defaults left out, as in saved files), the keys of what it is linked to, the content of
the files it names, and the environment's salt. Its parts are kept readable, so that a miss can be explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson

from graphflow.authoring.describe import InputSchema, TypeSchema

_DIGEST_BYTES = 20

KeyParts = list[Any]
"""`[type and code, version, {input: value}, {input: [[key, output], ...]}, {input: fingerprint}]`."""


class KeyMaker:
    """Makes keys under one salt."""

    def __init__(self, salt: Mapping[str, str]) -> None:
        self._seed = blake2b(orjson.dumps(dict(salt), option=orjson.OPT_SORT_KEYS), digest_size=_DIGEST_BYTES)

    def key(self, parts: KeyParts) -> tuple[str, bytes]:
        """Digest of the parts, 40 hexadecimal digits, and the parts as JSON: what is kept of them, being small."""
        written = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
        digest = self._seed.copy()
        digest.update(written)
        return digest.hexdigest(), written


def canonical_values(ports: Mapping[str, InputSchema], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the key sees them: numbers of float ports as floats, defaults left out."""
    kept = {}
    for name, value in values.items():
        port = ports[name]
        default = port.default
        if port.type.kind in ("float", "list"):
            value, default = _canonical(value, port.type), _canonical(default, port.type)
        if port.required or value != default:
            kept[name] = value
    return kept


def _canonical(value: Any, schema: TypeSchema) -> Any:
    if schema.kind == "float" and type(value) is int:
        return float(value)
    if schema.kind == "list" and schema.item is not None and type(value) is list:
        return [_canonical(item, schema.item) for item in value]
    return value


def describe_parts(written: bytes) -> dict[str, Any]:
    """The parts of a key under the names that `graphflow cache --explain` uses."""
    type_name, version, values, links, files = orjson.loads(written)[:5]
    return {"type": type_name, "version": version, "values": values, "links": links, "files": files}
