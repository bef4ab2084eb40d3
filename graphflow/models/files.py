"""The files that inputs name: models by catalogue name, the user's own by path. Located for checks, fingerprinted for keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from graphflow.authoring.describe import InputSchema
from graphflow.errors import InputFileError
from graphflow.models.catalog import ModelCatalog
from graphflow.models.fingerprint import Fingerprints
from graphflow.models.hub import parse_hub_name


@dataclass(frozen=True)
class NamedFiles:
    """Looks up what `ModelFile` and `InputFile` inputs name."""

    catalog: ModelCatalog
    fingerprints: Fingerprints
    inputs_folder: Path
    """`GRAPHFLOW_HOME/inputs`: where names of input files are looked for first."""

    def fingerprint(self, schema: InputSchema, name: str, folder: Path) -> str:
        """Digest of the content behind a name. Raises ModelError or InputFileError."""
        if schema.file_kind == "ModelFile":
            return self.fingerprints.of_model(self.catalog.relative_to(folder).resolve(name, _kind(schema)))
        if _is_folder(schema):
            return self.fingerprints.of_listing(self.input_folder(name, folder))
        return self.fingerprints.of(self.input_path(name, folder))

    def input_path(self, name: str, folder: Path) -> Path:
        """An input file: in the input folder, else relative to the workflow's folder, else as given. Raises InputFileError."""
        found = next((path for path in self._places(name, folder) if path.is_file()), None)
        if found is None:
            raise self._not_found("file", name, folder)
        return found

    def input_folder(self, name: str, folder: Path) -> Path:
        """A folder of input files, looked for in the same places. Raises InputFileError."""
        found = next((path for path in self._places(name, folder) if path.is_dir()), None)
        if found is None:
            raise self._not_found("folder", name, folder)
        return found

    def _places(self, name: str, folder: Path) -> list[Path]:
        path = Path(name).expanduser()
        return [base / path for base in (self.inputs_folder, folder, Path())]

    def _not_found(self, what: str, name: str, folder: Path) -> InputFileError:
        return InputFileError(
            f'the {what} "{name}" was not found; looked in {self.inputs_folder}, {folder.absolute()} and {Path.cwd()}. '
            "Put it there, or give a path."
        )

    def missing(self, schema: InputSchema, name: str, folder: Path) -> str | None:
        """Why the file that an input names cannot be found, as a sentence; None when it can, or when the hub may have it."""
        try:
            if _is_folder(schema):
                self.input_folder(name, folder)
            elif schema.file_kind == "InputFile":
                self.input_path(name, folder)
            elif parse_hub_name(name) is None:
                self.catalog.relative_to(folder).resolve(name, _kind(schema))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the name is the answer
            return str(error)
        return None

    def model_bytes(self, schema: InputSchema, name: str, folder: Path) -> int:
        """Size of a model's files, 0 when it is not on this machine."""
        path = self.catalog.relative_to(folder).locate(name, _kind(schema))
        if path is None:
            return 0
        return (
            path.stat().st_size
            if path.is_file()
            else sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        )


def _is_folder(schema: InputSchema) -> bool:
    return schema.file_kind == "InputFile" and (schema.widget or {}).get("media") == "folder"


def _kind(schema: InputSchema) -> str:
    return str((schema.widget or {}).get("folder", "checkpoints"))
