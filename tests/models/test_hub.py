"""Models from a hub, over real HTTP from a small one on loopback."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from graphflow.errors import ModelError, ModelNotFound
from graphflow.models.catalog import ModelCatalog
from graphflow.models.detect import detect
from graphflow.models.hub import HubName, needed_files, parse_hub_name

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Answers as the hub does for public models: what a repository holds, and its files."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HubRequest)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.asked: list[str] = []


class HubRequest(BaseHTTPRequestHandler):
    """One request."""

    server: Hub

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        path = self.path.split("?")[0].strip("/")
        self.server.asked.append(path)
        status, headers, body = self.found(path)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def found(self, path: str) -> tuple[int, dict[str, str], bytes]:
        parts = path.split("/")
        if path.startswith("api/models/"):
            files = self.server.repositories.get("/".join(parts[2:4]))
            if files is None:
                return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
            if len(parts) > 5 and parts[5] not in ("main", COMMIT):
                return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
            if len(parts) > 4 and parts[4] == "tree":
                tree = [{"type": "file", "oid": "0" * 40, "size": len(files[name]), "path": name} for name in files]
                return 200, {"Content-Type": "application/json"}, json.dumps(tree).encode()
            name = "/".join(parts[2:4])
            answer = {"id": name, "modelId": name, "sha": COMMIT, "siblings": [{"rfilename": file} for file in files]}
            return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()
        content = self.server.repositories.get("/".join(parts[:2]), {}).get("/".join(parts[4:]))
        if content is None:
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b""
        etag = hashlib.sha1(content).hexdigest()
        return 200, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, content

    def log_message(self, format: str, *args: object) -> None:
        """Tests need no log."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def online(catalog: ModelCatalog) -> ModelCatalog:
    return replace(catalog, allow_download=True)


@pytest.fixture
def pipeline(model_folder: Path) -> dict[str, bytes]:
    """The tiny model as a repository, with much in it that nobody needs."""
    files = {
        str(path.relative_to(model_folder)): path.read_bytes() for path in model_folder.rglob("*") if path.is_file()
    }
    unneeded = (
        "README.md", ".gitattributes", "v1-5-pruned.ckpt", "v1-5-pruned.safetensors", "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors", "unet/flax_model.msgpack", "safety_checker/model.safetensors",
        "safety_checker/config.json", "vae/model.onnx", "sample.png",
    )  # fmt: skip
    return files | dict.fromkeys(unneeded, b"unneeded")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a/b", HubName("a/b")),
        ("a/b@refs/pr/3", HubName("a/b", "refs/pr/3")),
        ("a-b/c.d:x/y.safetensors", HubName("a-b/c.d", None, "x/y.safetensors")),
        ("a/b@v1:m.ckpt", HubName("a/b", "v1", "m.ckpt")),
        ("a", None),
        ("a/b/c", None),
        ("../b", None),
        ("weights/mine.safetensors", None),
        ("a/b:../c", None),
        ("", None),
    ],
)
def test_hub_names(text: str, name: HubName | None) -> None:
    assert parse_hub_name(text) == name


def test_only_what_is_loaded_is_needed() -> None:
    assert needed_files([
        "model_index.json", "big.safetensors", "unet/config.json", "unet/w.bin", "unet/w.safetensors", "unet/w.fp16.safetensors",
        "vae/config.json", "vae/w.fp16.safetensors", "vae/w.bin", "text_encoder/config.json", "text_encoder/pytorch_model.bin",
        "text_encoder/pytorch_model.fp16.bin", "tokenizer/vocab.json", "tokenizer/merges.txt",
    ]) == [
        "model_index.json", "text_encoder/config.json", "text_encoder/pytorch_model.bin", "tokenizer/merges.txt",
        "tokenizer/vocab.json", "unet/config.json", "unet/w.safetensors", "vae/config.json", "vae/w.fp16.safetensors",
    ]  # fmt: skip


def test_shards_are_needed_with_their_index_unless_the_whole_is_there() -> None:
    shards = [f"m-0000{number}-of-00002.safetensors" for number in (1, 2)] + ["m.safetensors.index.json"]
    assert needed_files(["config.json", *shards]) == sorted(["config.json", *shards])
    assert needed_files(["config.json", *shards, "m.safetensors"]) == ["config.json", "m.safetensors"]
    assert needed_files(["config.json", "merges.txt", *shards], kind="tokenizers") == ["config.json", "merges.txt"]


def test_a_pipeline_is_fetched_once_and_without_what_nobody_needs(
    hub: Hub, online: ModelCatalog, pipeline: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["someone/tiny"] = pipeline
    assert online.locate("someone/tiny") is None
    folder = online.resolve("someone/tiny")
    assert set(detect(folder).parts) == {"unet", "vae", "text_encoder"}
    fetched = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert fetched == {name for name, content in pipeline.items() if content != b"unneeded"}
    hub.asked.clear()
    assert online.resolve("someone/tiny") == folder == replace(online, allow_download=False).locate("someone/tiny")
    assert hub.asked == []


def test_a_half_fetched_pipeline_is_not_taken_for_whole(
    hub: Hub, online: ModelCatalog, pipeline: dict[str, bytes]
) -> None:
    hub.repositories["someone/tiny"] = pipeline
    folder = online.resolve("someone/tiny")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert online.locate("someone/tiny") is None
    assert online.resolve("someone/tiny") == folder
    assert (folder / "unet" / "diffusion_pytorch_model.safetensors").is_file()


def test_one_file_of_a_repository(hub: Hub, online: ModelCatalog, original_file: Path) -> None:
    hub.repositories["someone/mixes"] = {"a.safetensors": original_file.read_bytes(), "b.safetensors": b"b"}
    with pytest.raises(ModelNotFound, match=r"2 models; name one: someone/mixes:a\.safetensors"):
        online.resolve("someone/mixes")
    with pytest.raises(ModelNotFound, match=r'no file "c\.safetensors"; it has a\.safetensors, b\.safetensors'):
        online.resolve("someone/mixes:c.safetensors")
    path = online.resolve("someone/mixes:a.safetensors")
    assert path.read_bytes() == original_file.read_bytes()
    assert online.locate("someone/mixes:a.safetensors") == path
    assert online.locate("someone/mixes") == path


def test_a_repository_of_one_file_needs_no_file_name(hub: Hub, online: ModelCatalog, original_file: Path) -> None:
    hub.repositories["someone/single"] = {"README.md": b"", "model.safetensors": original_file.read_bytes()}
    path = online.resolve("someone/single")
    assert path.name == "model.safetensors"
    assert online.locate("someone/single") == path


@pytest.mark.parametrize("name", ["someone/style", "someone/style:adapter_model.safetensors"])
def test_an_adapter_comes_with_its_settings(hub: Hub, online: ModelCatalog, name: str) -> None:
    hub.repositories["someone/style"] = {
        "adapter_config.json": b"{}",
        "adapter_model.safetensors": b"weights",
        "a.png": b"",
    }
    path = online.resolve(name, "loras")
    assert path.name == "adapter_model.safetensors"
    assert path.with_name("adapter_config.json").read_bytes() == b"{}"
    assert online.locate(name, "loras") == path


def test_what_the_hub_lacks_is_not_found(hub: Hub, online: ModelCatalog, pipeline: dict[str, bytes]) -> None:
    hub.repositories["someone/tiny"] = pipeline
    with pytest.raises(ModelNotFound, match="there is no public model someone/nothing"):
        online.resolve("someone/nothing")
    with pytest.raises(ModelNotFound, match='has no revision "v9"'):
        online.resolve("someone/tiny@v9")


def test_a_hub_out_of_reach_is_an_error_with_its_address(online: ModelCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"not on this machine, and someone/tiny could not be fetched.*127\.0\.0\.1:9"):
        online.resolve("someone/tiny")
