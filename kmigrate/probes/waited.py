"""What an operator waited for in vain, and where to look for the reason: it tells the resource, and no more. Pure.

Source: io.strimzi.operator.common.Util.waitFor and its callers (Service addressable, Pods ready);
github.com/strimzi/strimzi-kafka-operator issues 7332, 11280 and 1916 show both with their reasons.
"""

from __future__ import annotations

import re

_WAITED = re.compile(
    r"waiting for (?P<kind>\w+) resource (?P<name>\S+) in namespace (?P<namespace>\S+) to be (?P<state>\w+)"
)
_REASONS = {
    ("Service", "addressable"): "`kubectl -n {namespace} describe service {name}` tells why its load balancer has no "
    "address: a controller that is not installed, subnets without their tags, a quota that is used up",
    ("Pods", "ready"): "`kubectl -n {namespace} describe pod {name}` tells why it does not start, "
    "`kubectl -n {namespace} get pvc` whether its disk is Pending for want of a StorageClass",
}


def where_to_look(message: str) -> str:
    """What to type to see why, for a condition's message; empty where it says nothing of the kind."""
    found = _WAITED.search(message)
    if found is None:
        return ""
    return _REASONS.get((found["kind"], found["state"]), "").format(**found.groupdict())
