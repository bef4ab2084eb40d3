"""Where graphflow keeps things and how much it may use: `GRAPHFLOW_*` variables or `graphflow.toml`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_size(text: str | int) -> int:
    """Bytes in a size such as `12GiB`, `500 MB` or `4096`.

    Raises ValueError, saying what is accepted, for anything else or for a negative size.
    """
    if isinstance(text, int):
        if text < 0:
            raise ValueError(f"{text} is negative; write a size such as 12GiB")
        return text
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2].upper() not in _UNITS:
        raise ValueError(f"{text!r} is not a size; write a number with a unit, such as 12GiB or 500MB")
    return int(float(match[1]) * _UNITS[match[2].upper()])


Size = Annotated[int, BeforeValidator(parse_size)]


def default_home() -> Path:
    """The user's data directory for graphflow on this operating system."""
    if sys.platform == "win32":
        base = Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path.home() / ".local" / "share"
    return base / "graphflow"


class Settings(BaseSettings):
    """All settings of one graphflow process.

    Read, first match wins, from arguments, `GRAPHFLOW_*` environment variables and `graphflow.toml` in the working folder.
    """

    model_config = SettingsConfigDict(env_prefix="GRAPHFLOW_", toml_file="graphflow.toml", extra="ignore", frozen=True)

    home: Path = Field(default_factory=default_home)
    """Holds `graphflow.db`, `cache/`, `artifacts/`, `inputs/`, `models/`, `packs/`."""
    packs: str = ""
    """More pack folders, separated like PATH."""
    database: str = ""
    """SQLAlchemy URL; empty means SQLite at `home/graphflow.db`."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:N` or `mps`."""
    vram: Size | None = None
    """Budget for weights on the device, e.g. `12GiB`; None means what the device has."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Of model weights; `auto` is right for the device."""
    attention: Literal["sdpa", "flash", "xformers", "sage"] = "sdpa"
    """Attention backend of denoisers whose workflow chooses none; part of every result's key."""
    cache_ram: Size | None = None
    """Bytes of results kept in RAM; None means a tenth of the machine's memory."""
    cache_disk: Size = 20 * 2**30
    """Bytes of results kept on disk."""

    @property
    def cache_folder(self) -> Path:
        """Folder of cached results."""
        return self.home / "cache"

    @property
    def artifacts_folder(self) -> Path:
        """Folder of saved pictures and other artifacts."""
        return self.home / "artifacts"

    @property
    def inputs_folder(self) -> Path:
        """Folder that input file names are looked up in first."""
        return self.home / "inputs"

    @property
    def models_folder(self) -> Path:
        """Folder that model names are looked up in, after the bundled zoo."""
        return self.home / "models"

    @property
    def packs_folder(self) -> Path:
        """Folder whose subfolders are packs."""
        return self.home / "packs"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the state database."""
        return self.database or f"sqlite:///{self.home / 'graphflow.db'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then `graphflow.toml`."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
