"""The page for new authors, followed to the letter."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

PAGE = ROOT / "docs" / "write_a_node.md"


def steps(text: str) -> str:
    """The page as a shell script: its files written and its commands run, in order."""
    script = ["set -eu"]
    for kind, file, body in re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        if kind == "sh":
            script.append(body)
        elif file:
            script.append(f"mkdir -p $(dirname {file})\ncat > {file} <<'END_OF_FILE'\n{body}END_OF_FILE")
    return "\n".join(script)


@pytest.mark.skipif(not PAGE.exists(), reason="the pages are not in this copy")
def test_every_command_and_every_file_of_the_page_works(tmp_path: Path, user: dict[str, str]) -> None:
    work = tmp_path / "work"
    work.mkdir()
    script = steps(PAGE.read_text(encoding="utf-8")) + "\ngraphflow packs check glow\n"
    done = subprocess.run(["bash", "-c", script], cwd=work, env=user, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((work / "pictures").glob("*.png"))) >= 3
    assert (tmp_path / "home" / "packs" / "glow" / "image" / "brighten.py").is_file()
    assert re.search(r"glow\s+0\.1\.0\s+2", done.stdout), done.stdout
