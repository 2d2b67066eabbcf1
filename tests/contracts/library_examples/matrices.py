"""matmul-kernel-v1, linear-projection-v1, embedding-lookup-v1, tied-embeddings-v1."""

from __future__ import annotations

import numpy as np
from library_examples.case import Case, Fields, grid, normal, planted, rng, scaled

from tracepact.types import Array

_SMALL = grid(3, 3)


def _product(a: Array, b: Array) -> Fields:
    return {"a": a, "b": b, "ret": a @ b}


def _matmul_cases() -> list[Case]:
    good = _product(normal(7, 48), normal(48, 20))
    a, b, ret = good["a"], good["b"], good["ret"]
    small = _product(_SMALL, _SMALL.T)
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
            small,
            3,
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
            small,
            3,
        ),
    ]


def _projected(x: Array, weight: Array, bias: Array) -> Fields:
    return {"x": x, "weight": weight, "bias": bias, "ret": x @ weight.T + bias}


def _summed(x: Array, weight: Array, bias: Array) -> Fields:
    exact = weight.astype(np.float64)
    return {
        "x": x,
        "column_sums": exact.sum(axis=0),
        "bias_sum": float(bias.astype(np.float64).sum()),
        "weight_norm": float(np.linalg.norm(exact)),
        "ret": x @ weight.T + bias,
    }


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
    plain = np.array([1, -2, 3] * 9, np.float32)
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
            _projected(_SMALL, _SMALL, plain),
            3,
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
            _summed(_SMALL, _SMALL, plain),
            3,
        ),
    ]


def _looked_up(tokens: Array, weight: Array) -> Fields:
    return {"tokens": tokens, "weight": weight, "ret": weight[tokens]}


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
            _looked_up(everything, _SMALL),
            27,
        ),
        Case(
            "embedding-lookup-v1",
            "row_copy",
            {"ret": ret, "rows": np.stack([weight[token] for token in tokens.tolist()])},
            {
                "shape(ret) == shape(rows)": {"rows": ret[:, :8]},
                "Rows are copied unchanged": {"ret": weight[tokens - 1]},
            },
            {"ret": _SMALL[everything], "rows": _SMALL},
            27,
        ),
    ]


def _tied_cases() -> list[Case]:
    x, table = normal(4, 16), normal(50, 16)
    logits = {"x": x, "embedding": table, "ret": x @ table.T}
    counts = {"vocab": 49_152, "hidden": 576}
    vocab, hidden = 1 + np.indices((5, 5))
    return [
        Case(
            "tied-embeddings-v1",
            "tying",
            {"embedding": table, "output": table},
            {
                "shape(embedding) == shape(output)": {"output": table.T},
                "Both ends read one table": {"output": table.astype(np.float16)},
            },
            {"embedding": _SMALL, "output": _SMALL},
            3,
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
            {"x": _SMALL, "embedding": _SMALL, "ret": _SMALL @ _SMALL.T},
            3,
        ),
        Case(
            "tied-embeddings-v1",
            "parameter_saving",
            counts | {"tied_params": 134_515_008, "untied_params": 162_826_560},
            {
                "vocab >= 1 and hidden >= 1": {"hidden": 0},
                "Tying saves one table": {"tied_params": 162_826_560},
            },
            {
                "vocab": vocab,
                "hidden": hidden,
                "tied_params": vocab * hidden + 7,
                "untied_params": 2 * vocab * hidden + 7,
            },
        ),
    ]


CASES = [*_matmul_cases(), *_linear_cases(), *_embedding_cases(), *_tied_cases()]
