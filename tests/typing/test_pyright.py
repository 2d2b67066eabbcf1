"""What mypy reads in this folder, pyright reads too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import tracepact

HERE = Path(__file__).parent


@pytest.mark.slow
def test_decorated_functions_keep_their_types_under_pyright(tmp_path: Path) -> None:
    pytest.importorskip("basedpyright", reason="pyright comes with the extra dev")
    settings = {
        "include": [str(HERE / "enforce.py")],
        "extraPaths": [str(Path(tracepact.__file__).parents[1])],
        "typeCheckingMode": "standard",
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    config = tmp_path / "pyrightconfig.json"
    config.write_text(json.dumps(settings), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "basedpyright", "-p", str(config), "--pythonpath", sys.executable],
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 errors" in run.stdout
