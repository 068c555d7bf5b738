"""Rendering a cluster with 5,000 topics and 500 users, and looking at all of it by every rule: seconds and memory.

`./dev python benchmarks/rendering.py [--topics 5000] [--users 500]`: each figure is of a fresh process, three times;
beside it what it takes to write the same resources down as JSON, without which nobody can apply them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from kmigrate.manifests.cluster import cluster
from kmigrate.manifests.internal import internal_topics
from kmigrate.manifests.lanes import FORWARD
from kmigrate.manifests.mirror import Endpoint, mirror_maker
from kmigrate.manifests.refusals import refusals
from kmigrate.manifests.sizes import largest_message
from kmigrate.manifests.topics import carried_topic
from kmigrate.manifests.users import application_rules, forward_mirror_rules, user
from kmigrate.model import Application, ClusterSpec, JsonObject, Lane, Listener, Reads, Storage, Target, Topic

_RUNS, _BROKERS, _LANES, _READ = 3, 9, 8, 20
T = TypeVar("T")


def topics(count: int) -> list[Topic]:
    """As Confluent Cloud tells them: with names that Kubernetes refuses, and settings that Kafka does not know."""
    config = {"cleanup.policy": "delete", "retention.ms": "604800000", "confluent.value.schema.validation": "true"}
    accepts = {"max.message.bytes": "2097164"}
    return [
        Topic(name=f"Team_{number % 40}.orders.v{number}", partitions=12, config=config, accepts=accepts)
        for number in range(count)
    ]


def application(number: int, names: list[str]) -> Application:
    """One that reads 20 topics and writes 5."""
    some = [names[(number * 7 + each) % len(names)] for each in range(_READ)]
    reads = Reads(group=f"app-{number}", topics=tuple(some))
    return Application(
        name=f"app-{number}", team="t", reads=(reads,), writes=tuple(some[:5]), principals=(), workloads=()
    )


def target() -> Target:
    """Nine brokers in three zones behind load balancers."""
    spec = ClusterSpec(
        brokers=_BROKERS,
        zones=("eu-1a", "eu-1b", "eu-1c"),
        storage=Storage(size="1Ti", storage_class="gp3"),
        listener=Listener(name="scram", kind="loadbalancer", port=9095, domain="kafka.example.com"),
        cruise_control=True,
    )
    return Target(platform="strimzi", store="", namespace="kafka", cluster="prod", listener="scram", spec=spec)


def rendered(every: list[Topic], users: int) -> list[JsonObject]:
    """Everything that `provision` and `replicate` apply."""
    place, names = target(), [topic.name for topic in every]
    assert place.spec is not None
    largest = largest_message(every, {})
    lanes = [_lane(number, tuple(names[number::_LANES])) for number in range(_LANES)]
    there = Endpoint(bootstrap="pkc-1:9092", mechanism="plain", username="KEY", password=("cc", "password"))
    here = Endpoint(bootstrap="b:9094", mechanism="scram-sha-512", username="m", password=("m", "password"))
    return [
        *cluster(place, place.spec, largest=largest),
        *(carried_topic(topic, place, brokers=_BROKERS).body for topic in every),
        *internal_topics(FORWARD, lanes, place, brokers=_BROKERS),
        user("kmigrate-mirror", forward_mirror_rules(lanes, FORWARD), place),
        *(user(f"app-{number}", application_rules(application(number, names)), place) for number in range(users)),
        mirror_maker(FORWARD, lanes, place, reads_from=there, writes_to=here, largest=largest),
    ]


def _lane(number: int, copied: tuple[str, ...]) -> Lane:
    return Lane(
        name=f"lane-{number}",
        direction="forward",
        source_alias=f"source-{number}",
        target_alias="target",
        topics=copied,
    )


def one(count: int, users: int) -> dict[str, float]:
    """One run in this process; memory is what it took beyond the program itself, at its highest."""
    every, before = topics(count), _peak_mb()
    bodies, rendering = _timed(lambda: rendered(every, users))
    found, looking = _timed(lambda: refusals(bodies))
    text, writing = _timed(lambda: json.dumps(bodies))
    assert found == (), found[:3]
    return {
        "resources": len(bodies),
        "rendering": rendering,
        "looking": looking,
        "writing": writing,
        "json": len(text) / 1e6,
        "memory": _peak_mb() - before,
        "whole": _peak_mb(),
    }


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    done = work()
    return done, time.perf_counter() - began


def _peak_mb() -> float:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    """Print the figures."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--topics", type=int, default=5_000)
    asked.add_argument("--users", type=int, default=500)
    asked.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = asked.parse_args()
    if args.one:
        print(json.dumps(one(args.topics, args.users)))
        return
    command = [sys.executable, __file__, "--one", "--topics", str(args.topics), "--users", str(args.users)]
    for number in range(1, _RUNS + 1):
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print(
            f"run {number}: {told['resources']:,} resources of {args.topics:,} topics and {args.users:,} users "
            f"rendered in {told['rendering']:.2f} s, looked at by every rule in {told['looking']:.2f} s"
        )
        print(
            f"       {told['json']:.1f} MB as JSON, written in {told['writing']:.2f} s: rendering takes "
            f"{told['rendering'] / told['writing']:.1f} times that; {told['memory']:.0f} MB for all, "
            f"{told['whole']:.0f} MB the whole process"
        )
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}; load {load}")


if __name__ == "__main__":
    main()
