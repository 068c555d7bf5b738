"""Two real Kafka clusters on this machine, the stand-in for the Strimzi operator, sample applications, the auditor."""
