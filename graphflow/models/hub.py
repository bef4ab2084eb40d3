"""Models from the Hugging Face hub: names such as `owner/name@revision:file.safetensors`, and which files they need."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from graphflow.errors import ModelError, ModelNotFound
from graphflow.models.headers import PICKLE_SUFFIXES, SAFETENSORS_SUFFIX, SHARD, WEIGHT_SUFFIXES, read_json
from graphflow.models.source import (
    ADAPTER_CONFIG_FILE,
    ADAPTER_STEM,
    CONFIG_FILE,
    PIPELINE_FILE,
    UNUSED_COMPONENTS,
    pipeline_networks,
    weights_in,
)

_HUB_NAME = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?(?::(?P<file>[\w./ -]+))?")
_VARIANT = re.compile(r"\.(fp16|bf16)(?=[.-])|\.(non_ema)(?=[.-])")


@dataclass(frozen=True)
class HubName:
    """A model on the hub, as a user writes it."""

    repo: str
    revision: str | None = None
    file: str | None = None
    """One file of the repository; None means what the repository is as a whole."""


def parse_hub_name(name: str) -> HubName | None:
    """The parts of `owner/name[@revision][:file]`; None if the text is no such name, or rather a path: `weights/mine.safetensors`."""
    match = _HUB_NAME.fullmatch(name)
    if match is None or ".." in name or match["repo"].startswith((".", "-")) or match["repo"].endswith(WEIGHT_SUFFIXES):
        return None
    return HubName(match["repo"], match["revision"], match["file"])


def needed_files(files: Iterable[str], *, kind: str = "checkpoints") -> list[str]:
    """Files of a repository that graphflow loads, out of all that it has.

    Safetensors where there are any, pickles only in folders that have nothing else, whole precision before the fp16 and bf16
    variants (graphflow converts while loading, and fp16 cannot be made whole again); no weights of other frameworks, no safety
    checker. Of a pipeline, no checkpoint beside it that holds the same once more. For tokenizers no weights at all.
    """
    paths = [path for path in sorted(files) if not path.startswith(".") and path.split("/")[0] not in UNUSED_COMPONENTS]
    texts = [path for path in paths if path.endswith((".json", ".txt", ".model")) and ".index." not in path]
    if kind == "tokenizers":
        return [path for path in texts if "/" not in path]
    pipeline = PIPELINE_FILE in paths
    weights: list[str] = []
    for folder in sorted({str(PurePosixPath(path).parent) for path in paths}):
        inside = [path for path in paths if str(PurePosixPath(path).parent) == folder]
        if not (pipeline and folder == "."):
            weights += _weights_of_folder(inside)
    return sorted({*texts, *weights})


def _weights_of_folder(paths: list[str]) -> list[str]:
    """The one set of weights that is loaded from a folder, index of shards included."""
    for suffix in (SAFETENSORS_SUFFIX, ".bin"):
        sets: dict[str, list[str]] = {}
        for path in paths:
            if path.endswith((suffix, f"{suffix}.index.json")) or (
                f"{suffix}.index." in path and path.endswith(".json")
            ):
                variant = _VARIANT.search(path)
                sets.setdefault(variant[0] if variant else "", []).append(path)
        for variant_name in ("", ".fp16", ".bf16", ".non_ema"):
            if chosen := sets.get(variant_name):
                whole = [path for path in chosen if not SHARD.search(path) and ".index." not in path]
                return whole or chosen
    return []


def is_complete(folder: Path) -> bool:
    """Whether a model folder has the weights of each network that its `model_index.json` names."""
    if not (folder / PIPELINE_FILE).is_file():
        return (folder / CONFIG_FILE).is_file() and weights_in(folder) is not None
    networks = pipeline_networks(read_json(folder / PIPELINE_FILE))
    return all((folder / name / CONFIG_FILE).is_file() and weights_in(folder / name) is not None for name in networks)


def cached_model(name: HubName, *, kind: str = "checkpoints", cache_folder: Path | None = None) -> Path | None:
    """The model in the hub's own cache on this machine, if it is there as a whole; touches no network.

    Of a repository of single files, the name without file means the one that was fetched.
    """
    folder = _snapshot(name, cache_folder)
    if folder is None:
        return None
    if name.file is not None:
        return folder / name.file if (folder / name.file).is_file() else None
    if kind == "tokenizers":
        return folder if (folder / "tokenizer_config.json").is_file() or (folder / "vocab.json").is_file() else None
    if is_complete(folder):
        return folder
    singles = [path for path in folder.iterdir() if path.name.endswith((SAFETENSORS_SUFFIX, *PICKLE_SUFFIXES))]
    return singles[0] if len(singles) == 1 and not (folder / PIPELINE_FILE).is_file() else None


def _snapshot(name: HubName, cache_folder: Path | None) -> Path | None:
    """The folder of a revision in the hub's cache, whole or not: graphflow fetches only what it needs, and judges that itself."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    repository = Path(cache_folder or constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name.repo, repo_type="model")
    revision = name.revision or constants.DEFAULT_REVISION
    reference = repository / "refs" / revision
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision
    folder = repository / "snapshots" / commit
    return folder if folder.is_dir() else None


def download_model(name: HubName, *, kind: str = "checkpoints", cache_folder: Path | None = None) -> Path:
    """Fetch a model from the hub (`HF_ENDPOINT`, `HF_TOKEN`) into the hub's cache. Raises ModelNotFound or ModelError."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    endpoint = os.environ.get("HF_ENDPOINT") or None
    where = f"on {endpoint or 'huggingface.co'}"
    try:
        info = HfApi(endpoint=endpoint).model_info(name.repo, revision=name.revision, timeout=20)
        files = [sibling.rfilename for sibling in info.siblings or []]
        wanted = _wanted_files(name, files, kind=kind)
        folder = snapshot_download(
            name.repo, revision=name.revision, cache_dir=cache_folder, allow_patterns=wanted, endpoint=endpoint
        )
    except GatedRepoError as error:
        raise ModelError(
            f"{name.repo} {where} is gated: accept its terms on its page, then log in with `hf auth login` or set HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise ModelNotFound(
            f'{name.repo} {where} has no revision "{name.revision}"; give a branch, a tag or a commit'
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelNotFound(
            f"there is no public model {name.repo} {where}; check the spelling, or log in with `hf auth login` if it is private"
        ) from error
    except (_http_error(), OSError) as error:
        raise ModelError(
            f"{name.repo} could not be fetched: the hub ({where}) gave no usable answer ({_brief(error)}); try again"
        ) from error
    single = name.file is not None or [path for path in wanted if not path.endswith(".json")] == wanted[:1]
    return Path(str(folder)) / wanted[0] if single and not wanted[0].endswith(".json") else Path(str(folder))


def _wanted_files(name: HubName, files: list[str], *, kind: str) -> list[str]:
    """What to fetch of a repository with these files. Raises ModelNotFound if the choice is empty or not clear."""
    if name.file is not None:
        if name.file not in files:
            near = (
                ", ".join(path for path in files if path.endswith((SAFETENSORS_SUFFIX, *PICKLE_SUFFIXES)))
                or "no weights"
            )
            raise ModelNotFound(f'{name.repo} has no file "{name.file}"; it has {near}')
        return [name.file, *_adapter_config(name.file, files)]
    if kind == "tokenizers" or PIPELINE_FILE in files or CONFIG_FILE in files:
        wanted = needed_files(files, kind=kind)
        if wanted:
            return wanted
    singles = [path for path in files if "/" not in path and path.endswith(SAFETENSORS_SUFFIX)]
    if len(singles) == 1:
        return [*singles, *_adapter_config(singles[0], files)]
    if singles:
        raise ModelNotFound(
            f"{name.repo} has {len(singles)} models; name one: "
            + ", ".join(f"{name.repo}:{path}" for path in singles[:10])
        )
    raise ModelNotFound(
        f"{name.repo} has neither {PIPELINE_FILE} nor {CONFIG_FILE} nor a .safetensors file; name the file: owner/name:file"
    )


def _adapter_config(path: str, files: list[str]) -> list[str]:
    """The settings that belong to a PEFT adapter's weights: without them its alpha is not known."""
    config = (PurePosixPath(path).parent / ADAPTER_CONFIG_FILE).as_posix()
    return [config] if PurePosixPath(path).name.startswith(ADAPTER_STEM) and config in files else []


def _http_error() -> type[Exception]:
    """The base of what the hub's HTTP library raises; which library that is depends on huggingface_hub's version."""
    from huggingface_hub.errors import HfHubHTTPError

    return next(base for base in HfHubHTTPError.__mro__[1:] if issubclass(base, Exception))


def _brief(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:160] or type(error).__name__
