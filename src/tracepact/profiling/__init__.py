"""How long bricks take, and how long the hardware says that they may take."""

from tracepact.profiling.brick import DEFAULT_BUDGET, BrickLayer, BrickResult, ComputeBrick
from tracepact.profiling.budget import PAGE_BYTES, BrickCost, ByteBudget, GrowingCost, TokenBudget
from tracepact.profiling.gpu import GpuInfo
from tracepact.profiling.hardware import HardwareCapability
from tracepact.profiling.profile_check import check_profile, is_valid_profile
from tracepact.profiling.profile_report import (
    BrickProfile,
    PhaseProfile,
    ProfileReport,
    profile_report,
)
from tracepact.profiling.profiler import BrickKey, BrickProfiler, Phase, SyncMode
from tracepact.profiling.roofline import ROOFLINE_CONTRACT, Ceilings, Roofline, derive_budget

__all__ = [
    "DEFAULT_BUDGET",
    "PAGE_BYTES",
    "ROOFLINE_CONTRACT",
    "BrickCost",
    "BrickKey",
    "BrickLayer",
    "BrickProfile",
    "BrickProfiler",
    "BrickResult",
    "ByteBudget",
    "Ceilings",
    "ComputeBrick",
    "GpuInfo",
    "GrowingCost",
    "HardwareCapability",
    "Phase",
    "PhaseProfile",
    "ProfileReport",
    "Roofline",
    "SyncMode",
    "TokenBudget",
    "check_profile",
    "derive_budget",
    "is_valid_profile",
    "profile_report",
]
