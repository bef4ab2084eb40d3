"""`graphflow models`: which models can be named in workflows, getting more, and looking into one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphflow.cli.options import AsJson

if TYPE_CHECKING:
    from graphflow.models.description import ModelDescription
    from graphflow.models.headers import TensorHeader

models = typer.Typer(
    help="List, add, pull and inspect models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

Name = Annotated[
    str, typer.Argument(help="A name in the catalogue, a path, or a hub name: owner/name[@revision][:file].")
]
Kind = Annotated[
    str | None,
    typer.Option("--kind", metavar="KIND", help="checkpoints, vaes, loras, controlnets... (a models subfolder)."),
]


@models.command("list")
def list_models(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="checkpoints, vaes, loras, controlnets...")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the models that a workflow can name."""
    from graphflow.cli.house import open_app
    from graphflow.cli.output import json_line, notice, size_text, table

    with open_app() as app:
        found = app.catalog.entries(kind)
        folder = app.settings.models_folder
    if as_json:
        json_line(
            [
                {
                    "name": each.name,
                    "kind": each.kind,
                    "source": each.source,
                    "path": str(each.path),
                    "bytes": each.bytes,
                }
                for each in found
            ]
        )
        return
    if found:
        table(
            ("name", "kind", "size", "from"),
            [(each.name, each.kind, size_text(each.bytes), _SOURCES[each.source]) for each in found],
            right=("size",),
        )
    notice(f"models lie in {folder}; hub names (owner/name) and paths work too")


@models.command("add")
def add_model(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A model file, or a diffusers folder.")],
    kind: Annotated[
        str | None,
        typer.Option("--kind", metavar="KIND", help="checkpoints, vaes, loras, controlnets...; left out: what it is."),
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="Link to it instead of copying it.")] = False,
) -> None:
    """Put a model where workflows find it by name. Refuses damaged files and those that need pickle."""
    from graphflow.cli.house import read_settings
    from graphflow.cli.output import line, notice
    from graphflow.errors import ModelError, ModelNotFound, UnknownModelFormat
    from graphflow.models.catalog import is_plain_name
    from graphflow.models.detect import detect
    from graphflow.models.kinds import WHOLE, kind_of
    from graphflow.models.lora.adapter import read_lora

    if kind is not None and not is_plain_name(kind):
        raise typer.BadParameter(f"{kind!r} is no kind; use a name such as checkpoints, vaes or loras.")
    if not path.exists():
        raise ModelNotFound(f"{path}: there is no such file or folder")
    kind = kind or kind_of(path) or WHOLE
    target = read_settings().models_folder / kind / path.resolve().name
    if target.exists():
        raise ModelError(f"{target} is there already; remove it, or give the new one another name")
    try:
        if kind == "loras":
            notice(f"{path.name}: a LoRA that changes the {' and '.join(read_lora(path).parts)}")
        else:
            notice(f"{path.name}: {detect(path).family}")
    except UnknownModelFormat:
        notice(f"{path.name}: of no family that graphflow itself knows; a pack may")
    put_model(path.resolve(), target, link=link)
    line(str(target))


@models.command("pull")
def pull_model(name: Name, kind: Kind = None) -> None:
    """Fetch a model from the Hugging Face hub (HF_ENDPOINT, HF_TOKEN), unless it is here already, and print its path."""
    from graphflow.cli.house import open_app
    from graphflow.cli.output import line

    with open_app() as app:
        line(str(app.catalog.resolve(name, kind)))


@models.command("inspect")
def inspect_model(name: Name, kind: Kind = None, as_json: AsJson = False) -> None:
    """Show a model's family, parts and sizes, or what a LoRA changes, from its headers alone."""
    from dataclasses import replace

    from graphflow.cli.house import open_app
    from graphflow.cli.output import json_line, line, size_text, table
    from graphflow.models.detect import detect
    from graphflow.models.kinds import kind_of

    with open_app() as app:
        path = replace(app.catalog, allow_download=False).resolve(name, kind)
    if kind_of(path) == "loras":
        _show_lora(path, as_json=as_json)
        return
    found = detect(path)
    if as_json:
        json_line(model_json(found))
        return
    line(f"{found.path}\nfamily {found.family}, layout {found.layout}")
    table(
        ("part", "weights", "size", "tensors", "types", "made as"),
        [
            (
                part["name"],
                f"{part['weights']:,}",
                size_text(part["bytes"]),
                str(part["tensors"]),
                ", ".join(part["types"]),
                part["recipe"],
            )
            for part in model_json(found)["parts"]
        ],
        right=("weights", "size", "tensors"),
    )
    for assumed, value in found.assumed.items():
        line(f"{assumed} = {value} is assumed: the tensors cannot tell")


def _show_lora(path: Path, *, as_json: bool) -> None:
    from graphflow.cli.output import json_line, line
    from graphflow.models.lora.adapter import read_lora

    lora = read_lora(path)
    counts = {part: len(lora.of_part(part)) for part in lora.parts}
    if as_json:
        json_line({"path": str(path), "kind": "loras", "layers": counts, "metadata": dict(lora.metadata)})
        return
    line(f"{path}\na LoRA; layers that it changes: {', '.join(f'{part} {count}' for part, count in counts.items())}")
    for name, value in lora.metadata.items():
        line(f"{name}: {value}")


def model_json(found: ModelDescription) -> dict[str, Any]:
    """A model's description for machines."""
    return {
        "path": str(found.path),
        "family": found.family,
        "layout": found.layout,
        "parts": [
            {
                "name": name,
                "weights": part.elements,
                "bytes": sum(_bytes(tensor) for tensor in part.tensors.values()),
                "tensors": len(part.tensors),
                "types": sorted({tensor.dtype for tensor in part.tensors.values()}),
                "recipe": type(part.recipe).__name__,
                "config": dict(part.config),
                "unknown": list(part.unknown),
            }
            for name, part in found.parts.items()
        ],
        "tokenizer": None if found.tokenizer is None else str(found.tokenizer),
        "assumed": dict(found.assumed),
    }


def _bytes(tensor: TensorHeader) -> int:
    from graphflow.models.headers import BYTES_PER_ELEMENT

    return tensor.elements * BYTES_PER_ELEMENT.get(tensor.dtype, 0)


def put_model(source: Path, target: Path, *, link: bool) -> None:
    """Copy or link a model to a place that is free; nothing is there before all of it is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        target.symlink_to(source, target_is_directory=source.is_dir())
        return
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    try:
        if source.is_dir():
            shutil.copytree(source, draft)
        else:
            shutil.copyfile(source, draft)
        draft.rename(target)
    finally:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)


_SOURCES = {"zoo": "bundled", "models": "models folder"}
