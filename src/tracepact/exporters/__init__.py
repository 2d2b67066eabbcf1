"""Where violations go; one module an exporter."""

from tracepact.exporters._base import Exporter
from tracepact.exporters.jsonl import JsonlExporter
from tracepact.exporters.log import LogExporter
from tracepact.exporters.memory import MemoryExporter

__all__ = ["Exporter", "JsonlExporter", "LogExporter", "MemoryExporter"]
