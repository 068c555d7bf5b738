"""A Kafka cluster over confluent-kafka. Vendor types, errors and secrets stop here."""

from kmigrate.adapters.kafka.cluster import KafkaCluster
from kmigrate.adapters.kafka.connection import Connection, Login
from kmigrate.adapters.kafka.groups import KafkaGroups

__all__ = ["Connection", "KafkaCluster", "KafkaGroups", "Login"]
