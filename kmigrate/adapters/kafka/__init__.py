"""A Kafka cluster over confluent-kafka. Vendor types, errors and secrets stop here."""

from kmigrate.adapters.kafka.cluster import KafkaCluster
from kmigrate.adapters.kafka.connection import Connection, Login
from kmigrate.adapters.kafka.groups import KafkaGroups
from kmigrate.adapters.kafka.transactions import KafkaTransactions

__all__ = ["Connection", "KafkaCluster", "KafkaGroups", "KafkaTransactions", "Login"]
