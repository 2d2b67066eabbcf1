"""The main job: load a model, let it write under contracts, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tracepact.contracts import ContractRegistry
from tracepact.engines.generation import Generation
from tracepact.engines.names import EngineName
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.reference_file import compare_with_reference
from tracepact.engines.reference.sampling import Sampler
from tracepact.engines.reference.weights import Progress
from tracepact.engines.writer import TextStream, Watch, Writer
from tracepact.errors import ConfigError, MissingExtraError
from tracepact.exporters import Exporter, MemoryExporter
from tracepact.model import TraceConfig
from tracepact.profiling import (
    BrickProfiler,
    HardwareCapability,
    Roofline,
    check_profile,
    is_valid_profile,
    profile_report,
)
from tracepact.report.run_report import RunReport
from tracepact.tracing import ContractTracingLayer, Policy

try:
    from threadpoolctl import threadpool_limits
except ImportError as error:
    raise MissingExtraError("running a model", "engine") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What to run and how.

    Attributes:
        model: A GGUF file; for torch also a folder that transformers loads.
        engine: What runs it.
        prompt: What to continue.
        max_tokens: Tokens to write at most.
        temperature: 0 is greedy.
        top_k: 0 means all.
        top_p: 1 means all.
        seed: Makes sampling and faults repeatable.
        chat: Put the prompt through the model's chat template, if it has one.
        ignore_stop: Go on past the model's end-of-text token.
        context_length: Positions of the KV cache; the model's own by default.
        reference: A file with the same tensors in a finer type, to compare with.
        inject: A fault to plant, `KIND[@LAYER[.BRICK]]`.
        config: Traces to take.
        threads: Of the matrix library. On a busy machine threads that wait for each other make
            decoding many times slower, and one already takes most of the memory bandwidth.
    """

    model: Path
    engine: EngineName = EngineName.REFERENCE
    prompt: str
    max_tokens: int = 128
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None
    chat: bool = True
    ignore_stop: bool = False
    context_length: int | None = None
    reference: Path | None = None
    inject: str | None = None
    config: TraceConfig
    threads: int = 1


def run(
    options: RunOptions,
    registry: ContractRegistry,
    policy: Policy,
    exporters: list[Exporter],
    *,
    on_load: Progress | None = None,
    on_text: Callable[[str], None] | None = None,
) -> RunReport:
    """Run a model under contracts.

    Args:
        options: What to run.
        registry: Contracts that must hold.
        policy: What a violation does.
        exporters: Where violations go, beside the report.
        on_load: Called with (bytes done, bytes in all) while loading.
        on_text: Called with each piece of text.

    Raises:
        ModelFileError: A model file cannot be used.
        ConfigError: An option makes no sense for this model.
        ContractViolation: The policy is `raise`.
        MissingExtraError: What the engine needs is not installed.
    """
    with threadpool_limits(options.threads, user_api="blas"):
        return _run(options, registry, policy, exporters, on_load, on_text)


def _run(
    options: RunOptions,
    registry: ContractRegistry,
    policy: Policy,
    exporters: list[Exporter],
    on_load: Progress | None,
    on_text: Callable[[str], None] | None,
) -> RunReport:
    start = time.perf_counter()
    writer = _load(options, on_load)
    load_s = time.perf_counter() - start
    prompt = writer.text.prompt(options.prompt) if options.chat else options.prompt
    memory = MemoryExporter()
    layer = ContractTracingLayer(registry, [memory, *exporters], policy)
    profiler = BrickProfiler(layer)
    hardware = HardwareCapability.detect()
    roofline = Roofline.from_registry(registry, writer.hardware())
    fault = None
    if options.inject is not None:
        first_decode = min(1, options.max_tokens - 1)
        fault = writer.fault(options.inject, at_forward=first_decode, seed=options.seed or 0)
    reference = options.reference
    if reference and not (options.config.quantisation and layer.is_on):
        raise ConfigError("--reference needs the trace MLT-04; use --traces full and no policy off")

    watch = Watch(
        layer=layer,
        config=options.config,
        profiler=profiler,
        sampler=Sampler(options.temperature, options.top_k, options.top_p, options.seed),
        fault=fault,
    )
    with writer.watch(watch) as watched:
        compared = (
            compare_with_reference(GgufFile(options.model), reference, watched.tracer)
            if reference
            else []
        )
        generation = watched.generate(
            writer.text.encode(prompt),
            max_tokens=options.max_tokens,
            stop=() if options.ignore_stop else writer.text.stop_ids,
        )
        text, ids, decode_s = _write(generation, writer.text.stream(), on_text)
    check_profile(profiler, layer, roofline, layers=writer.layers)
    layer.close()

    profile = profile_report(profiler, roofline)
    if fault is not None and fault.description is None:
        ran = {brick.brick for phase in (profile.decode, profile.prefill) for brick in phase.bricks}
        raise ConfigError(
            f"{fault.spec} was never planted: no such brick ran, or the text ended before; "
            f"this model has: {', '.join(sorted(ran))}"
        )
    decode = profile.decode
    model_ns = (decode.wall_us + profile.prefill.wall_us) * 1e3
    moved = sum(brick.bytes_moved for brick in decode.bricks)
    return RunReport(
        model=str(options.model),
        architecture=writer.architecture,
        engine=writer.description,
        prompt=prompt,
        text=text,
        token_ids=ids,
        stop_reason=str(generation.stop_reason),
        load_s=load_s,
        weight_bytes=writer.weight_bytes,
        tokens_per_s=(len(ids) - 1) / decode_s if decode_s else 0.0,
        gb_per_s=moved / (decode.wall_us * 1e3) if decode.wall_us else 0.0,
        bandwidth_gb_per_s=hardware.memory_bandwidth_gbps,
        checks=layer.checks,
        is_on=layer.is_on and not options.config.is_off,
        overhead_ratio=watched.tracing_ns / model_ns if model_ns else 0.0,
        profile=profile,
        is_valid_profile=is_valid_profile(registry, decode.coverage or 0.0),
        traces=watched.tracer.summary.rows(),
        compared=compared,
        violations=memory.violations,
        suppressed=layer.suppressed,
        faults=dict(layer.faults),
        fault_planted=f"{fault.spec}: {fault.description}" if fault else None,
    )


def _load(options: RunOptions, on_load: Progress | None) -> Writer:
    """The model in its engine; only that engine is imported."""
    match options.engine:
        case EngineName.REFERENCE:
            from tracepact.engines.reference.writer import ReferenceWriter  # noqa: PLC0415 - one of them

            return ReferenceWriter(options.model, options.context_length, options.threads, on_load)
        case EngineName.TORCH:
            from tracepact.engines.torch.writer import TorchWriter  # noqa: PLC0415

            return TorchWriter(options.model, options.context_length, options.threads, on_load)
        case EngineName.LLAMACPP:
            from tracepact.engines.llamacpp.writer import LlamaWriter  # noqa: PLC0415

            return LlamaWriter(options.model, options.context_length, options.threads, on_load)


def _write(
    generation: Generation, stream: TextStream, on_text: Callable[[str], None] | None
) -> tuple[str, list[int], float]:
    """Text, ids, and the seconds from the first token to the last."""
    ids: list[int] = []
    pieces: list[str] = []
    first_s = last_s = 0.0
    for token in generation:
        last_s = time.perf_counter()
        first_s = first_s or last_s
        ids.append(token)
        pieces.append(stream.push(token))
        if on_text is not None:
            on_text(pieces[-1])
    pieces.append(stream.finish())
    return "".join(pieces), ids, last_s - first_s
