"""Parts of the world in memory, under the same contract suites as the real adapters (tests/contract)."""

from __future__ import annotations

from kmigrate.adapters.memory.death import Death, Died
from kmigrate.adapters.memory.store import MemoryStore

__all__ = ["Death", "Died", "MemoryStore"]
