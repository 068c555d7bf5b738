"""Whether the content of both sides is equal, record by record, up to a fixed place in every partition."""

from kmigrate.probes.content.compared import Compared, Ends, total
from kmigrate.probes.content.differences import Difference
from kmigrate.probes.content.ends import is_compacted, settled_ends
from kmigrate.probes.content.proof import Proof, prove, refuse_differences
from kmigrate.probes.content.reading import Estimate, about_size, estimate

__all__ = [
    "Compared",
    "Difference",
    "Ends",
    "Estimate",
    "Proof",
    "about_size",
    "estimate",
    "is_compacted",
    "prove",
    "refuse_differences",
    "settled_ends",
    "total",
]
