"""The auditor: compares what was written with what each application processed. It shares no code with the product.

It reads the append-only files of the applications (their format is told in `kmigrate.lab.apps`) and both logs whole, as
a read_committed reader. Offsets differ between the clusters, so records are known by identity, and a partition's
history is one order of identities: the source's log, then what only the target has. An identity that ends with `x2` is
made twice (twins); its copies are told apart by being the first or the second in a log.

lost                  from the first committed position to the last one, never processed
redelivered           processed again although a committed position was past it, or because a log holds it too often
repeats               processed again, no committed position was past it: the application itself died or failed
out_of_order          processed with a smaller sequence number than a record of the same key before it
aborted_seen          processed by a read_uncommitted reader, but not in the log of committed records
unexplained           processed by a read_committed reader, but not in the log of committed records
audit_gaps            lines that are missing from the application's own file
unknown_outcome       handed over, and neither acknowledged nor refused, by a producer
missing_written       acknowledged (and its transaction committed), and in no log
resurrected           taken back by the producer, and in a log of committed records
"""
