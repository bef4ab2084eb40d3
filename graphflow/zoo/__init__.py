"""Tiny models that were trained for real, the scenes they learned from, and the judge that looks at their pictures.

Scenes, captions and judge do without torch.
"""

from pathlib import Path

__all__ = ["MODELS", "bundled_models"]

MODELS = Path(__file__).parent / "models"
"""Folder of the bundled models; each subfolder is one model, named as a workflow names it."""


def bundled_models() -> dict[str, Path]:
    """Name and folder of every bundled model."""
    if not MODELS.is_dir():
        return {}
    return {folder.name: folder for folder in sorted(MODELS.iterdir()) if folder.is_dir()}
