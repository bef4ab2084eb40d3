from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest

import graphflow.diffusion
from graphflow.diffusion import SAMPLERS, SamplerName
from graphflow.diffusion.samplers import SAMPLER_NAMES


def test_importing_the_package_does_not_import_torch() -> None:
    code = (
        "import sys, graphflow.diffusion as d; d.SAMPLERS; heavy = {'torch', 'diffusers', 'transformers'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there() -> None:
    for name in graphflow.diffusion.__all__:
        assert getattr(graphflow.diffusion, name) is not None, name
    assert set(dir(graphflow.diffusion)) == set(graphflow.diffusion.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        graphflow.diffusion.nothing  # noqa: B018


def test_names_for_types_and_the_table_of_samplers_agree() -> None:
    assert tuple(SAMPLERS) == get_args(SamplerName) == SAMPLER_NAMES
