"""Results of nodes, kept by key in RAM and on disk, and the artifacts that runs make. Importing this does not import torch."""

from graphflow.cache.artifacts import ArtifactStore, StoredArtifact
from graphflow.cache.classes import DecodeError, ModuleNotLoaded
from graphflow.cache.codec import Encoded, decode, encode
from graphflow.cache.disk import DiskEntry, DiskStats, DiskTier
from graphflow.cache.fan import Fan
from graphflow.cache.kinds import CannotEncode
from graphflow.cache.memory import MemoryStats, MemoryTier, default_memory_limit
from graphflow.cache.record import Record
from graphflow.cache.results import CacheStats, ResultCache
from graphflow.cache.snapshot import size_of, snapshot

__all__ = [
    "ArtifactStore",
    "CacheStats",
    "CannotEncode",
    "DecodeError",
    "DiskEntry",
    "DiskStats",
    "DiskTier",
    "Encoded",
    "Fan",
    "MemoryStats",
    "MemoryTier",
    "ModuleNotLoaded",
    "Record",
    "ResultCache",
    "StoredArtifact",
    "decode",
    "default_memory_limit",
    "encode",
    "size_of",
    "snapshot",
]
