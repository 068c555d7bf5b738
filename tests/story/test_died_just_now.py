"""An application that died a moment before it is stopped, and is started again by whoever watches over it."""

from __future__ import annotations

import pytest
from memory_estate import Estate
from walking import APP, assert_exact, command, crossing, run_until

from kmigrate.adapters.memory import MemoryLines
from kmigrate.model import Side


class Dying(MemoryLines):
    """Once `ready` is over the application dies; its groups have not heard of it, and it is started again at once."""

    estate: Estate

    def append(self, line: str) -> None:
        super().append(line)
        workload = self.estate.workloads[APP]
        if '"event":"VERIFIED","step":"ready"' in line and workload.running:
            workload.running, workload.comes_back = False, True


def dying(estate: Estate, lines: MemoryLines) -> Dying:
    made = Dying(lines.death, lines.written)
    made.estate = estate
    return made


@pytest.mark.parametrize("way", ["cutover", "rollback"])
def test_it_is_stopped_before_it_comes_back_and_the_move_goes_on(way: str) -> None:
    estate = Estate()
    lines = crossing(estate)
    if way == "rollback":
        command("cutover", estate, lines)
    command(way, estate, dying(estate, lines))
    assert_exact(estate, lines, Side.TARGET if way == "cutover" else Side.SOURCE)


def test_it_works_again_where_the_move_is_taken_back() -> None:
    estate = Estate()
    lines = crossing(estate)
    run_until(estate, dying(estate, lines), '"event":"VERIFIED","step":"fence-clients"')
    assert not estate.workloads[APP].running
    command("rollback", estate, lines)
    assert estate.workloads[APP].running
    assert_exact(estate, lines, Side.SOURCE)
