"""An application that died a moment before it is stopped, and is started again by whoever watches over it."""

from __future__ import annotations

import pytest
from memory_estate import Estate
from walking import APP, assert_exact, command, crossing, run_until

from kmigrate.adapters.memory import MemoryLines
from kmigrate.errors import Blocked
from kmigrate.model import Side

READY, STARTED = '"event":"VERIFIED","step":"ready"', '"event":"APPLIED","step":"start-workloads"'


class Dying(MemoryLines):
    """At that line the application dies; its groups have not heard of it, and it is started again at once, or never."""

    estate: Estate
    sign: str
    comes_back: bool

    def append(self, line: str) -> None:
        super().append(line)
        workload = self.estate.workloads[APP]
        if self.sign in line and workload.running:
            workload.running, workload.comes_back = False, self.comes_back


def dying(estate: Estate, lines: MemoryLines, sign: str = READY, *, comes_back: bool = True) -> Dying:
    made = Dying(lines.death, lines.written)
    made.estate, made.sign, made.comes_back = estate, sign, comes_back
    return made


@pytest.mark.parametrize("sign", [READY, STARTED], ids=["before it is stopped", "as it begins"])
@pytest.mark.parametrize("way", ["cutover", "rollback"])
def test_one_that_dies_and_is_started_again_holds_no_move_up(way: str, sign: str) -> None:
    estate = Estate()
    lines = crossing(estate)
    if way == "rollback":
        command("cutover", estate, lines)
    command(way, estate, dying(estate, lines, sign))
    assert_exact(estate, lines, Side.TARGET if way == "cutover" else Side.SOURCE)


def test_it_works_again_where_the_move_is_taken_back() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, dying(estate, lines), '"event":"VERIFIED","step":"fence-clients"')
    assert not estate.workloads[APP].running
    command("rollback", estate, lines)
    assert estate.workloads[APP].running
    assert_exact(estate, lines, Side.SOURCE)


def test_where_nobody_starts_it_again_the_same_command_does() -> None:
    estate = Estate()
    lines = crossing(estate)
    with pytest.raises(Blocked, match=f"{APP} runs on") as told:
        command("cutover", estate, dying(estate, lines, STARTED, comes_back=False))
    assert "the same command again" in told.value.hint
    command("cutover", estate, lines)
    assert_exact(estate, lines, Side.TARGET)
