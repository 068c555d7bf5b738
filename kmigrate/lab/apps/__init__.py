"""The shop: sample applications as real processes, each started with `python -m kmigrate.lab.apps.<module> FOLDER`.

They import nothing of kmigrate. A folder holds what a ConfigMap, a Secret and a volume would hold:

settings.json        bootstrap, protocol, mechanism, username, password_file, ca; read at start only
password, ca.pem     secrets, mode 0600; paths in settings.json may be relative to the folder
audit/RUN.jsonl      one file per run of the process, append-only, one JSON object per line
health.json          last sign of life: time, process id, assigned partitions, last error
desired, state.json  what is wished and what is so; a supervisor acts on the first and writes the second

Every audit line has `n` (1, 2, 3 … within a run), `at` (wall clock, ms), `event`, `side` (the bootstrap address).

started      app, run, reads, writes, group, isolation                first line of a run
assigned     positions {TOPIC/PARTITION: next offset}                 committed before the first record is read
revoked      partitions
processed    topic, partition, offset, id, key, seq [, tx]            flushed before the commit
committed    offsets {TOPIC/PARTITION: next offset} [, tx]            after the broker said yes
produced     topic, id, key, seq [, tx]                               flushed before the record is handed over
acked        topic, id, partition, offset                              outside transactions only
refused      topic, id, code [, tx]                                   surely not written
unknown      topic, id, code; or tx alone                             nobody can say whether it was written
aborted      tx                                                       nothing of this transaction counts
error        code, text                                               a fault that the application lives with
stopped      reason                                                   last line of a clean end

A record's header `id` is its identity, `WRITER-RUN-NUMBER`, with `x2` at the end if it is one of two identical twins;
header `seq` is a number that only grows for one key.
"""
