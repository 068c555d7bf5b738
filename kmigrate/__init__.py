"""kmigrate moves an organisation off Confluent Cloud onto Apache Kafka run by Strimzi, exactly and reversibly."""

__version__ = "0.1.0"
