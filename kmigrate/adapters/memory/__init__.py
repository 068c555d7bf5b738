"""The whole world in memory, under the same contract suites as the real adapters (tests/contract).

Nothing asynchronous is true when a call returns; it advances only while somebody waits on its clock.
"""

from __future__ import annotations

from kmigrate.adapters.memory.access import MemoryAccess
from kmigrate.adapters.memory.acls import Acls
from kmigrate.adapters.memory.clock import MemoryClock
from kmigrate.adapters.memory.cluster import MemoryCluster
from kmigrate.adapters.memory.death import Death, Died, Watcher
from kmigrate.adapters.memory.facts import MemoryFacts, NoFacts
from kmigrate.adapters.memory.fence import MemoryAclFence, MemoryUserFence
from kmigrate.adapters.memory.groups import MemoryGroups
from kmigrate.adapters.memory.ledger_topic import MemoryLedger, MemoryLedgerTopic
from kmigrate.adapters.memory.lines import MemoryLines
from kmigrate.adapters.memory.log import Entry, Log
from kmigrate.adapters.memory.mirror import MemoryMirror
from kmigrate.adapters.memory.operator import MemoryOperator
from kmigrate.adapters.memory.secrets import MemorySecrets
from kmigrate.adapters.memory.source_admin import MemorySourceAdmin
from kmigrate.adapters.memory.state import State
from kmigrate.adapters.memory.store import MemoryStore
from kmigrate.adapters.memory.transactions import MemoryTransactions
from kmigrate.adapters.memory.workload import MemoryWorkload
from kmigrate.adapters.memory.world import MemoryEstate, MemoryWorld
from kmigrate.adapters.memory.writer import MemoryWriter

__all__ = [
    "Acls",
    "Death",
    "Died",
    "Entry",
    "Log",
    "MemoryAccess",
    "MemoryAclFence",
    "MemoryClock",
    "MemoryCluster",
    "MemoryEstate",
    "MemoryFacts",
    "MemoryGroups",
    "MemoryLedger",
    "MemoryLedgerTopic",
    "MemoryLines",
    "MemoryMirror",
    "MemoryOperator",
    "MemorySecrets",
    "MemorySourceAdmin",
    "MemoryStore",
    "MemoryTransactions",
    "MemoryUserFence",
    "MemoryWorkload",
    "MemoryWorld",
    "MemoryWriter",
    "NoFacts",
    "State",
    "Watcher",
]
