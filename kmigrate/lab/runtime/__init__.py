"""What the lab stands on: jars, Java, certificates, ports, processes, Kafka clusters and Connect workers.

`bench.Bench` bundles what every part of the lab is handed; `kafka.KafkaCluster` and `connect` start the real thing.
"""
