"""`tracepact run`: a model writes under contracts."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tracepact.cli.options import (
    ContractsOption,
    Format,
    FormatOption,
    open_registry,
    print_json,
)
from tracepact.engines.names import EngineName
from tracepact.errors import ConfigError

if TYPE_CHECKING:
    from tracepact.exporters import JsonlExporter

NAME: Final = "run"
HELP: Final = """Run a model under contracts: stream its text, then show what was checked.

Every operation is timed against its roofline budget and checked against its contract; five traces
follow activations, attention, logits, quantisation and the KV cache.

Exit code 0: all checked, nothing found. 1: violations, or something could not be checked.
2: the call cannot be carried out.

Examples:

    tracepact run model.gguf --prompt "Once upon a time"

    tracepact run model.gguf --prompt Hi --inject nan@7      # plant a fault, see it named

    tracepact run q8.gguf --prompt Hi --reference f16.gguf   # compare every tensor

    tracepact run model.gguf --prompt Hi --engine llamacpp   # or torch: what you run anyway
"""


class Traces(StrEnum):
    """Presets of traces."""

    FULL = "full"
    LIGHTWEIGHT = "lightweight"
    OFF = "off"


def main(
    model: Annotated[
        Path,
        typer.Argument(
            help="A GGUF file; for torch also a folder that transformers loads.",
            show_default=False,
        ),
    ],
    prompt: Annotated[str, typer.Option(help="Text to continue or to answer.")] = (
        "Once upon a time"
    ),
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens to write at most.")] = 128,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token.")] = 0.0,
    top_k: Annotated[int, typer.Option(min=0, help="Draw from the k likeliest; 0: all.")] = 0,
    top_p: Annotated[float, typer.Option(help="Draw from this share of probability.")] = 1.0,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Makes sampling and faults repeatable.")
    ] = None,
    chat: Annotated[
        bool, typer.Option("--chat/--raw", help="Use the model's chat template, if it has one.")
    ] = True,
    ignore_stop: Annotated[
        bool, typer.Option("--ignore-stop", help="Go on past the end-of-text token.")
    ] = False,
    context_length: Annotated[
        int | None, typer.Option(min=1, help="Positions of the KV cache.", show_default="model's")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="The same model in a finer type, to compare tensors with.")
    ] = None,
    inject: Annotated[
        str | None,
        typer.Option(
            metavar="KIND[@LAYER[.BRICK]]",
            help="Plant one fault: nan, inf, row-scale, logit-scale, kv-overflow, bit-flip, slow.",
        ),
    ] = None,
    traces: Annotated[Traces, typer.Option(help="Which traces to take.")] = Traces.FULL,
    engine: Annotated[EngineName, typer.Option(help="What runs the model.")] = (
        EngineName.REFERENCE
    ),
    threads: Annotated[
        int, typer.Option(min=1, help="Threads of the matrix library; more help on idle cores.")
    ] = 1,
    jsonl: Annotated[
        Path | None, typer.Option(help="Append violations to this file as they are found.")
    ] = None,
    contracts: ContractsOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Parse the options, run, print."""
    from rich.console import Console

    from tracepact.model import TraceConfig
    from tracepact.report.terminal import print_run
    from tracepact.session import RunOptions, run
    from tracepact.tracing import Policy

    options = RunOptions(
        model=model,
        engine=engine,
        prompt=prompt,
        max_tokens=max_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        chat=chat,
        ignore_stop=ignore_stop,
        context_length=context_length,
        reference=reference,
        inject=inject,
        config=getattr(TraceConfig, traces.value)(),
        threads=threads,
    )
    console = Console(highlight=False)
    is_text = format_ is Format.TEXT
    with _LoadingBar(f"loading {model.name}") as on_load:
        report = run(
            options,
            open_registry(contracts),
            Policy.from_environment(),
            [_open_jsonl(jsonl)] if jsonl else [],
            on_load=on_load,
            on_text=_write(console) if is_text else None,
        )
    if is_text:
        print_run(report, console)
    else:
        print_json(report.to_dict())
    if report.violations or report.faults or report.checked_nothing:
        raise typer.Exit(1)


def _open_jsonl(path: Path) -> JsonlExporter:
    from tracepact.exporters import JsonlExporter

    try:
        return JsonlExporter(path)
    except OSError as error:
        raise ConfigError(
            f"--jsonl {path}: {error.strerror}; name a file in a folder that exists"
        ) from None


def _write(console: object) -> Callable[[str], None]:
    from rich.console import Console

    assert isinstance(console, Console)

    def write(text: str) -> None:
        console.file.write(text)
        console.file.flush()

    return write


class _LoadingBar:
    """A progress bar on standard error while weights are loaded; gone when they are."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn(title),
            BarColumn(),
            DownloadColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(title, total=None)

    def __enter__(self) -> Callable[[int, int], None]:
        self._bar.start()
        return self._update

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def _update(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)
        if done >= total:
            self._bar.stop()
