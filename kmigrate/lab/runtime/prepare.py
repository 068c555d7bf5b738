"""All that a lab needs before its first process: jars, a Java that runs, AOT caches."""

from __future__ import annotations

from kmigrate.lab.runtime import aot, cache
from kmigrate.lab.runtime.jars import KAFKA_LOCK, KAFKA_VERSION, fetch
from kmigrate.lab.runtime.java import Jvm, find_java
from kmigrate.world import Clock, Reporter


def prepare(clock: Clock, reporter: Reporter) -> Jvm:
    """A Jvm for Kafka and Connect; the first call on a machine fetches 57 MB and trains for about a minute."""
    java = find_java()
    jars = fetch(KAFKA_LOCK, cache.folder("jars", f"kafka-{KAFKA_VERSION}"), reporter)
    return aot.trained(Jvm(java=java, classpath=jars), clock, reporter)
