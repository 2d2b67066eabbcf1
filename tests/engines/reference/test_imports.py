"""Claims about what importing the engine loads and needs."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize(
    ("library", "module"),
    [("gguf", "gguf_file"), ("tokenizers", "tokenizer"), ("jinja2", "chat")],
)
def test_a_missing_library_names_the_extra(library: str, module: str) -> None:
    output = run(
        f"import sys; sys.modules['{library}'] = None\n"
        "from tracepact.errors import MissingExtraError\n"
        f"try: import tracepact.engines.reference.{module}\n"
        "except MissingExtraError as error: print(error)"
    )
    assert "install it with: pip install 'tracepact[engine]'" in output


def test_probe_kernels_costs_and_cache_need_no_extra() -> None:
    output = run(
        "import sys\n"
        "import tracepact.engines.probe, tracepact.engines.reference.kernels\n"
        "import tracepact.engines.reference.costs, tracepact.engines.reference.kv_cache\n"
        "print(sorted({'gguf', 'tokenizers', 'jinja2'} & sys.modules.keys()))"
    )
    assert output.strip() == "[]"
