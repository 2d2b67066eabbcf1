"""matmul-kernel-v1, linear-projection-v1, embedding-lookup-v1, tied-embeddings-v1."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from library_examples.case import (
    Case,
    Fields,
    between_float16,
    matrices,
    normal,
    planted,
    rng,
    rows,
    scaled,
    whole,
)
from ml_dtypes import bfloat16

from tracepact.kernels.embeddings import (
    embedding,
    narrow_embedding,
    tied_logits,
    tied_output,
    tied_parameters,
)
from tracepact.kernels.projections import linear, matmul
from tracepact.types import Array

_SMALL = rows(3, -1, 0, 2)
_SIGNS = (-1, 0, 2)


def _product(a: Array, b: Array) -> Fields:
    return {"a": a, "b": b, "ret": matmul(a, b)}


def _every_product() -> list[Fields]:
    # Rows of a product do not depend on each other: all of them in one a.
    return [_product(rows(2, *_SIGNS), b) for b in matrices(2, 2, *_SIGNS)]


_PRODUCTS_TEXT = "every row of 2 and every 2 x 2 matrix, out of -1, 0 and 2"


def _matmul_cases() -> list[Case]:
    good = _product(normal(7, 48), normal(48, 20))
    a, b, ret = good["a"], good["b"], good["ret"]
    return [
        Case(
            "matmul-kernel-v1",
            "matmul",
            good,
            {
                "shape(a)[-1] == shape(b)[0]": {"b": b.T},
                "all(isfinite(a)) and all(isfinite(b))": {"b": planted(b, (0, 0), np.nan)},
                "Shapes multiply": {"ret": ret.T},
                "Norm is submultiplicative": {"ret": ret + np.float32(1_000)},
            },
            _every_product,
            3,
            _PRODUCTS_TEXT,
        ),
        Case(
            "matmul-kernel-v1",
            "checksum",
            good,
            {
                "ndim(b) == 2": {"b": b[:, 0]},
                # The last panel of the inner axis was dropped.
                "Row checksum holds": {"ret": a[:, :40] @ b[:40]},
            },
            _every_product,
            3,
            _PRODUCTS_TEXT,
        ),
    ]


def _projected(x: Array, weight: Array, bias: Array) -> Fields:
    return {"x": x, "weight": weight, "bias": bias, "ret": linear(x, weight, bias)}


def _summed(x: Array, weight: Array, bias: Array) -> Fields:
    exact = weight.astype(np.float64)
    return {
        "x": x,
        "column_sums": exact.sum(axis=0),
        "bias_sum": float(bias.astype(np.float64).sum()),
        "weight_norm": float(np.linalg.norm(exact)),
        "ret": linear(x, weight, bias),
    }


def _every_projection(fields: Callable[[Array, Array, Array], Fields]) -> Iterator[Fields]:
    for weight in matrices(2, 2, *_SIGNS):
        for bias in rows(2, *_SIGNS):
            yield fields(rows(2, *_SIGNS), weight, bias)


_PROJECTIONS_TEXT = "every row of 2, 2 x 2 weight and bias, out of -1, 0 and 2"


def _bit_flipped(weight: Array, index: tuple[int, int], bit: int) -> Array:
    bits = weight.copy().view(np.uint32)
    bits[index] ^= np.uint32(1 << bit)
    return bits.view(np.float32)


def _linear_cases() -> list[Case]:
    x = planted(normal(5, 64), (slice(None), 3), 22_500.0)
    weight, bias = normal(96, 64, scale=0.05), normal(96)
    good, sums = _projected(x, weight, bias), _summed(x, weight, bias)
    # Bit 25 is the exponent's third: the weight grows or shrinks by 2 ** 4.
    flipped = _bit_flipped(weight, (17, 3), 25)
    return [
        Case(
            "linear-projection-v1",
            "projection",
            good,
            {
                "shape(x)[-1] == shape(weight)[-1]": {"weight": weight.T},
                "len(weight) == len(bias)": {"bias": bias[:64]},
                "One row a token, one column an output": {"ret": good["ret"].T},
                "Norm is at most that of input times weight": {"ret": good["ret"] * 100},
            },
            lambda: _every_projection(_projected),
            3,
            _PROJECTIONS_TEXT,
        ),
        Case(
            "linear-projection-v1",
            "checksum",
            sums,
            {
                "shape(x)[-1] == len(column_sums)": {"column_sums": sums["column_sums"][:32]},
                "all(isfinite(x))": {"x": planted(x, (4, 63), np.nan)},
                "norm(column_sums) <= sqrt(shape(ret)[-1]) * weight_norm * (1 + 4 * tol)": {
                    "weight_norm": sums["weight_norm"] / 1_000
                },
                "Row checksum holds": {"ret": x @ flipped.T + bias},
            },
            lambda: _every_projection(_summed),
            3,
            _PROJECTIONS_TEXT,
        ),
    ]


def _looked_up(tokens: Array, weight: Array) -> Fields:
    return {"tokens": tokens, "weight": weight, "ret": embedding(tokens, weight)}


_TOKENS_TEXT = "every token of a table of every row of 3 out of -1, 0 and 2"


def _every_narrow_row() -> list[Fields]:
    table = between_float16()
    table = table[(np.abs(table) >= 2.0**-14) & (np.abs(table) <= 65_504)][:, None]
    return [{"ret": narrow_embedding(np.arange(len(table)), table), "rows": table}]


def _embedding_cases() -> list[Case]:
    weight = normal(50, 16)
    good = _looked_up(rng().integers(0, 50, 12), weight)
    tokens, ret = good["tokens"], good["ret"]
    everything = np.arange(27)
    return [
        Case(
            "embedding-lookup-v1",
            "lookup",
            good,
            {
                "0 <= tokens < len(weight)": {"tokens": planted(tokens, 3, 50)},
                "Embeddings are finite": {"ret": planted(ret, (11, 15), np.nan)},
                "One row a token": {"ret": np.concatenate([weight[:1], ret])},
            },
            lambda: [_looked_up(everything, _SMALL)],
            27,
            _TOKENS_TEXT,
        ),
        Case(
            "embedding-lookup-v1",
            "row_copy",
            {"ret": ret, "rows": np.stack([weight[token] for token in tokens.tolist()])},
            {
                "shape(ret) == shape(rows)": {"rows": ret[:, :8]},
                "Rows are copied unchanged": {"ret": weight[tokens - 1]},
            },
            lambda: [{"ret": embedding(everything, _SMALL), "rows": _SMALL}],
            27,
            _TOKENS_TEXT,
        ),
        Case(
            "embedding-lookup-v1",
            "narrow_table",
            {"ret": narrow_embedding(tokens, weight), "rows": ret},
            {
                "len(ret) == len(rows)": {"rows": ret[:3]},
                "Narrowing costs half a unit in the last place": {
                    "ret": ret.astype(bfloat16).astype(np.float32)
                },
            },
            _every_narrow_row,
            1 << 16,
            "every normal float16, and the points a quarter, half and 3/4 of the way to the next",
        ),
    ]


def _every_tied_logit() -> Iterator[Fields]:
    x = rows(2, *_SIGNS)
    for table in matrices(2, 2, *_SIGNS):
        yield {"x": x, "embedding": table, "ret": tied_logits(x, table)}


def _every_saving() -> list[Fields]:
    vocab, hidden, others = whole(3)
    untied = 2 * vocab * hidden + others
    tied = tied_parameters(untied, vocab, hidden)
    return [{"vocab": vocab, "hidden": hidden, "tied_params": tied, "untied_params": untied}]


def _tied_cases() -> list[Case]:
    x, table = normal(4, 16), normal(50, 16)
    logits = {"x": x, "embedding": table, "ret": tied_logits(x, table)}
    counts = {"vocab": 49_152, "hidden": 576}
    return [
        Case(
            "tied-embeddings-v1",
            "tying",
            {"embedding": table, "output": table},
            {
                "shape(embedding) == shape(output)": {"output": table.T},
                "Both ends read one table": {"output": table.astype(np.float16)},
            },
            lambda: [{"embedding": t, "output": tied_output(t)} for t in matrices(2, 2, *_SIGNS)],
            3,
            "every table of 2 x 2 out of -1, 0 and 2",
        ),
        Case(
            "tied-embeddings-v1",
            "logits",
            logits,
            {
                "shape(x)[-1] == shape(embedding)[-1]": {"x": x[:, :8]},
                "all(isfinite(x))": {"x": planted(x, (0, 0), np.inf)},
                "One logit a token of the vocabulary": {"ret": logits["ret"][:, :49]},
                # The scale of the embedding was applied at the output as well.
                "Logits obey Cauchy-Schwarz": {"ret": scaled(logits["ret"], slice(None), 16)},
            },
            _every_tied_logit,
            3,
            "every row of 2 and every table of 2 x 2, out of -1, 0 and 2",
        ),
        Case(
            "tied-embeddings-v1",
            "parameter_saving",
            counts | {"tied_params": 134_515_008, "untied_params": 162_826_560},
            {
                "vocab >= 1 and hidden >= 1": {"hidden": 0},
                "untied_params >= 1": {"untied_params": 0},
                "Tying saves one table": {"tied_params": 162_826_560},
            },
            _every_saving,
            5,
            "vocab, hidden and the parameters beside both tables, each from 1 to 5",
        ),
    ]


CASES = [*_matmul_cases(), *_linear_cases(), *_embedding_cases(), *_tied_cases()]
