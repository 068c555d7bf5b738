"""Red flags of the listeners that a plan asks for: what works, and will be regretted. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from kmigrate.advice.flag import Flag, accept, warns
from kmigrate.model import Migration


def listeners(migration: Migration) -> Iterator[Flag]:
    """Kinds that Strimzi is about to give up, and kinds whose names stand in no certificate."""
    spec = migration.target.spec
    for each in (spec.listener, *spec.listeners) if spec else ():
        if each.kind == "ingress":
            yield warns(
                "KM-LISTENER-DEPRECATED",
                each.name,
                "Strimzi has deprecated listeners by Ingress since 0.51, and the nginx one that they need is archived",
                f"choose tlsroute or loadbalancer, or {accept('KM-LISTENER-DEPRECATED', each.name)}",
            )
        if each.kind == "nodeport":
            yield warns(
                "KM-LISTENER-UNVERIFIED",
                each.name,
                "clients reach brokers by addresses of nodes, which stand in no certificate and change with the node",
                "let clients skip the check of host names there, or choose loadbalancer or shared",
            )
