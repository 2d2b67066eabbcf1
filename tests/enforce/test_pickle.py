"""Checked functions are pickled as functions are: by reference."""

from __future__ import annotations

import copy
import importlib
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = """
import tracepact as tp

NAME = "softmax-kernel-v1", "softmax"

@tp.contract(*NAME)
@tp.contract(*NAME)
def plain(x):
    return x

@tp.contract(*NAME)
async def later(x):
    return x

@tp.contract(*NAME, items=True)
def items(x):
    yield x

class Model:
    @tp.contract(*NAME)
    def method(self, x):
        return x

    @tp.contract(*NAME)
    @classmethod
    def of_class(cls, x):
        return x

    @staticmethod
    @tp.contract(*NAME)
    def static(x):
        return x
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "pickled_kernels.py").write_text(SOURCE, encoding="utf-8")
    yield importlib.import_module("pickled_kernels")
    del sys.modules["pickled_kernels"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_function_comes_back_as_itself(module: ModuleType, protocol: int) -> None:
    for function in (module.plain, module.later, module.items, module.Model.method):
        assert pickle.loads(pickle.dumps(function, protocol)) is function
    assert copy.deepcopy(module.plain) is module.plain
    assert pickle.loads(pickle.dumps(module.Model.static, protocol)) is module.Model.static


def test_bound_methods_come_back_bound(module: ModuleType) -> None:
    bound = pickle.loads(pickle.dumps(module.Model().method))
    assert bound([1.0]) == [1.0]
    assert pickle.loads(pickle.dumps(module.Model.of_class)) == module.Model.of_class


def test_text_of_the_pickle_is_that_of_the_bare_function(module: ModuleType) -> None:
    pickled = pickle.dumps(module.plain)
    checked, bare = module.plain, module.plain.__wrapped__.__wrapped__
    module.plain = bare
    assert pickle.dumps(bare) == pickled
    module.plain = checked
