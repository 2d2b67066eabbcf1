"""The Protocol follows its contract; what a person goes on writing is theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracepact.codegen.scaffold import Interface, ScaffoldFile, scaffold_files
from tracepact.codegen.scaffold.files import package_of
from tracepact.errors import ConfigError


@pytest.fixture
def files(interface: Interface, tmp_path: Path) -> list[ScaffoldFile]:
    return list(scaffold_files(interface, tmp_path / "out"))


def test_three_files_are_written(files: list[ScaffoldFile]) -> None:
    assert [file.write() for file in files] == ["wrote"] * 3
    assert [file.path.name for file in files] == [
        "scale_v1_protocol.py",
        "scale_v1.py",
        "test_scale_v1.py",
    ]


def test_second_time_everything_stays(files: list[ScaffoldFile]) -> None:
    for file in files:
        file.write()
        file.path.write_text(file.path.read_text() + "# mine\n")
    assert [file.write() for file in files] == ["current", "kept", "kept"]
    assert all(file.path.read_text().endswith("# mine\n") for file in files)


def test_protocol_is_written_again_where_it_differs(files: list[ScaffoldFile]) -> None:
    protocol = files[0]
    protocol.write()
    protocol.path.write_text(protocol.text.replace("factor", "scale"))
    assert protocol.stale() == "differs from what the contract says"
    assert protocol.write() == "wrote"
    assert protocol.stale() == ""


def test_force_overwrites_everything(files: list[ScaffoldFile]) -> None:
    for file in files:
        file.write()
        file.path.write_text("mine = 1\n")
    assert [file.write(force=True) for file in files] == ["wrote"] * 3
    assert [file.path.read_text() for file in files] == [file.text for file in files]


def test_foreign_file_in_the_place_of_the_protocol_is_refused(files: list[ScaffoldFile]) -> None:
    files[0].path.parent.mkdir()
    files[0].path.write_text("mine = 1\n")
    with pytest.raises(ConfigError, match=r"scale_v1_protocol.py: exists and .* --force"):
        files[0].write()
    assert files[0].path.read_text() == "mine = 1\n"


def test_missing_file_is_stale(files: list[ScaffoldFile]) -> None:
    assert files[0].stale() == "is missing"


def test_folder_that_cannot_be_made_is_named(interface: Interface, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for file in scaffold_files(interface, tmp_path / "file" / "out"):
        with pytest.raises(ConfigError, match=r"cannot be (read|written) \("):
            file.write()


def test_package_is_found_by_its_init_files(interface: Interface, tmp_path: Path) -> None:
    inner = tmp_path / "my" / "kernels"
    inner.mkdir(parents=True)
    assert package_of(inner) == ""
    (inner / "__init__.py").write_text("")
    (tmp_path / "my" / "__init__.py").write_text("")
    assert package_of(inner) == "my.kernels"
    _, skeleton, tests = scaffold_files(interface, inner, tests=tmp_path / "tests")
    assert "from my.kernels.scale_v1_protocol import" in skeleton.text
    assert tests.path == tmp_path / "tests" / "test_scale_v1.py"
