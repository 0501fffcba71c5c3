"""Check what wears a machine out while it runs: heat, power, memory and space."""

from __future__ import annotations

from collections.abc import Sequence

from edge.doctor.finding import Finding, Level

HOT_C = 80.0  # from here on, a Raspberry Pi lowers its clock
MIN_FREE_MB = 300
MIN_MEMORY_MB = 150  # a run takes about 120 MB
POWER_FIX = "use the board's own power supply (5.1 V), with a short cable and without hubs"
SWAP_FIX = (
    "sudo fallocate -l 1G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile && sudo swapon /swapfile"
)


def check_heat(celsius: float | None, now: Sequence[str] | None, since_boot: Sequence[str] | None) -> Finding:
    """Judge the temperature and what the firmware reports: why it throttles now, and why it did since boot."""
    described = "temperature unknown" if celsius is None else f"{celsius:.0f} °C"
    if now:
        fix = POWER_FIX if "under-voltage" in now else "add a heat sink or a fan"
        return Finding("temperature", Level.WARNING, f"{described}; slowed down now: {', '.join(now)}", fix)
    if celsius is not None and celsius >= HOT_C:
        return Finding("temperature", Level.WARNING, f"{described}, which slows it down", "add a heat sink or a fan")
    if since_boot:
        fix = POWER_FIX if "under-voltage" in since_boot else "add a heat sink or a fan"
        return Finding("temperature", Level.WARNING, f"{described}; since boot: {', '.join(since_boot)}", fix)
    return Finding("temperature", Level.OK, described)


def check_memory(total_mb: int | None, available_mb: int | None) -> Finding:
    """Judge the main memory."""
    if total_mb is None or available_mb is None:
        return Finding("memory", Level.OK, "unknown")
    described = f"{available_mb} of {total_mb} MB available"
    if available_mb < MIN_MEMORY_MB:
        return Finding("memory", Level.WARNING, f"{described}; expected {MIN_MEMORY_MB}", SWAP_FIX)
    return Finding("memory", Level.OK, described)


def check_space(free_mb: int, folder: str) -> Finding:
    """Judge the free space of the disk with a folder."""
    described = f"{free_mb} MB free at {folder}"
    if free_mb < MIN_FREE_MB:
        fix = "sudo apt clean && pip cache purge"
        return Finding("space", Level.WARNING, f"{described}; expected {MIN_FREE_MB}", fix)
    return Finding("space", Level.OK, described)
