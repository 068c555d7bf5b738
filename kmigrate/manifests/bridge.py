"""HTTP in front of the cluster, for those who ask for it: a KafkaBridge (`strimzi.md` §2.7)."""

from __future__ import annotations

from kmigrate.manifests.kafka import bootstrap, ca_secret
from kmigrate.manifests.names import resource
from kmigrate.model import Bridge, JsonObject, Target


def kafka_bridge(target: Target, bridge: Bridge) -> JsonObject:
    """It signs in within Kubernetes as a KafkaUser and may do what that one may, whoever calls it.

    Its port has no password; who reaches it is for NetworkPolicies of one's own to say.
    """
    spec: JsonObject = {
        "replicas": bridge.replicas,
        "bootstrapServers": bootstrap(target),
        "tls": {"trustedCertificates": [{"secretName": ca_secret(target), "pattern": "*.crt"}]},
        "authentication": {
            "type": "scram-sha-512",
            "username": bridge.user,
            "passwordSecret": {"secretName": bridge.user, "password": "password"},
        },
        "http": {"port": bridge.port},
    }
    return resource("KafkaBridge", f"{target.cluster}-bridge", target.namespace, spec, ours=True)
