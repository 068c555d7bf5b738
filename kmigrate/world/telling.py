"""Time, and who is told."""

from __future__ import annotations

from typing import Protocol

from kmigrate.model import Json


class Clock(Protocol):
    """Time; tests hand in one that jumps."""

    def now_ms(self) -> int:
        """Wall-clock time in milliseconds since the epoch."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds that never go back, from an arbitrary start."""
        ...

    def sleep(self, milliseconds: int) -> None:
        """Wait; raises Interrupted when a human or the system wants us to stop."""
        ...


class Reporter:
    """What the engine tells. Every method does nothing, so the engine never asks whether anybody listens."""

    def unit_started(self, unit: str, title: str) -> None:
        """Tell that a unit begins or goes on."""

    def unit_sealed(self, unit: str) -> None:
        """Tell that all steps of a unit are verified."""

    def step_started(self, unit: str, step: str, title: str) -> None:
        """Tell that a step is about to be checked."""

    def step_skipped(self, unit: str, step: str) -> None:
        """Tell that a step was satisfied and verified already."""

    def step_done(self, unit: str, step: str, evidence: Json) -> None:
        """Tell that a step is verified, and what proves it."""

    def step_undone(self, unit: str, step: str) -> None:
        """Tell that a step is undone."""

    def progress(self, what: str, detail: str) -> None:
        """Tell how far a wait is; called often, cheap to ignore."""

    def note(self, text: str) -> None:
        """Tell one sentence that a human should read."""
