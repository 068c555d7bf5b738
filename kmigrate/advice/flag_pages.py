"""What the pages of the red flags say: by id title, what it is, why it matters, the way out."""

from __future__ import annotations

FLAGS: dict[str, tuple[str, str, str, str]] = {
    "KM-ABORTED-AHEAD": (
        "Aborted copies ahead of a reader of uncommitted records",
        "The group reads uncommitted records, and on the target copies of aborted transactions lie ahead of where it "
        "would go on: the mirror died in mid-transaction and made those copies again. What was seen is counted, per "
        "partition, in `rehearse`, in `ready` and once more when its positions are carried; a mirror that dies later "
        "can add to it.",
        "It would be given at most so many records once more than they were written, and the doubled ones first come "
        "too early. Positions with aborted copies ahead are SAFE_LOWER_BOUND, which policy.minimumGrade refuses by "
        "default. Records that were aborted on the source are no copies: it saw those there, or sees them once.",
        "Let the application read committed records (isolation.level=read_committed), which sees none of them; or "
        "wait until it has read past them on the source, which takes its position on the target past them, too; or "
        "accept the flag with the group as subject if it bears repetition.",
    ),
    "KM-ACCEPT-UNMATCHED": (
        "An accept that matches nothing",
        "The plan accepts a red flag, and no flag with that id and subject was raised.",
        "Either it is misspelt, and the flag it was meant for still flies, or the matter is settled and the entry is "
        "a leftover that would hide the next case of the same name.",
        "Correct id and subject (they are printed with every flag), or remove the entry from accept.",
    ),
    "KM-ACL-NOT-CARRIED": (
        "An ACL of the source that the target will not have",
        "A principal of the plan, or everybody, holds this ACL on the source. When its KafkaUser is made, it takes "
        "over what the plan does not speak of, denials too. Not this one: either a KafkaUser cannot say it (a host, "
        "an operation or a resource that Strimzi does not know), or it would undo a rule of the migration (writing "
        "what others write while it goes on, changing rights, taking over kmigrate's own names), or it denies what "
        "the plan says that the application does.",
        "Without a right the application may fail after its move; without a denial it may do more than on the source. "
        "So a denial that is left out blocks, a right that is left out is only told.",
        "If the application needs it, say so in the plan (reads, writes, transactionalIds), or grant it by other means "
        "after the move; change the ACL on the source if it is wrong. Else accept the flag with the printed subject.",
    ),
    "KM-ACL-UNREADABLE": (
        "The ACLs could not be listed",
        "The source refused to list its ACLs to kmigrate's principal, so nobody knows who else holds rights there.",
        "An unknown principal may be a writer that is left behind, and fences are then proven the weaker way.",
        "Grant DESCRIBE on the cluster to kmigrate's principal; the flag prints the command. Or accept the flag with "
        "subject 'acls' and go on without: the evidence then says that principals were not checked.",
    ),
    "KM-FOREIGN-WRITE": (
        "A foreign record on the side that was left",
        "After the topic changed its owner somebody whom the plan does not know wrote it on the side that was left: a "
        "client with a forgotten credential. The move names each record with its place and time, and who may write "
        "there by the ACLs; role bindings and super users are not among those.",
        "Nobody copies that record: it stands on that side alone. A group that moves across and had not read it is "
        "never given it; a group that comes back is put behind it. So the move holds, and positions that would pass "
        "it are REFUSED. Before anybody had worked on the new side the move would have gone back by itself.",
        "First stop the client, or take its right away: while it goes on writing, more come. Then look at the records. "
        "If readers of the new side need what they say, write it again there by hand; the mirror back copies that, so "
        "the old side has it twice. Then accept the flag with the topic as subject, and type the same command again: "
        "the records stay where they are, and positions are carried past them. Instead, `kmigrate rollback` takes the "
        "application back to the side that has them; it asks for the same accept where its groups read that topic.",
    ),
    "KM-GROUP-CONNECT": (
        "A sink connector's group",
        "A group whose name begins with connect- is how Kafka Connect's sink connectors read.",
        "The connector must be paused and pointed elsewhere by whoever runs Connect; stopping a deployment is not it.",
        "Declare the connector as an application with that group and with workloads of kind command or manual, or "
        "accept the flag and leave it on the source.",
    ),
    "KM-GROUP-HOLDS-MORE": (
        "A group holds positions that the plan does not name",
        "The group has committed positions in topics that its reads do not list.",
        "Positions are carried for the topics in the plan only. After the cutover the application would begin those "
        "other topics wherever its auto.offset.reset says: records lost, or given twice.",
        "Add the topics to its reads (and to topics.include). If nobody reads them any more, delete those positions "
        "on the source: kafka-consumer-groups --delete-offsets --group GROUP --topic TOPIC.",
    ),
    "KM-GROUP-NO-POSITION": (
        "A group without a position",
        "The plan says that this group reads a topic, and in some of its partitions it never committed a position.",
        "There is nothing to translate. `ready` refuses the move until every partition has a position: to guess one "
        "would lose records or give them twice.",
        "Let the application read and commit on the source first, or correct group and topics in its reads.",
    ),
    "KM-GROUP-SHARE": (
        "A share group",
        "Members of a share group take single records (KIP-932); the group has no position per partition.",
        "No one offset on the target says the same as what its members have acknowledged, so it cannot be carried.",
        "Accept the flag and leave it on the source until its topics are drained, or declare it once kmigrate can.",
    ),
    "KM-GROUP-STREAMS": (
        "A Kafka Streams application",
        "The group belongs to Kafka Streams: it speaks the streams protocol, or there are topics named "
        "GROUP-…-changelog or GROUP-…-repartition.",
        "Its state stores, changelogs and repartition topics must stay consistent with its positions to the record; "
        "carrying the positions alone corrupts its state.",
        "Accept the flag and leave it on the source, or rebuild its state on the target from the input topics by its "
        "own reset tool.",
    ),
    "KM-GROUP-UNASSIGNED": (
        "A group that belongs to no application",
        "A group on the source has members or holds positions, and no application of the plan reads with it.",
        "Somebody reads with it. Once the topics belong to the target it reads nothing new, and nobody would notice.",
        "Add it to the reads of its application. If it is dead, delete it on the source; if it shall stay behind, "
        "accept the flag with the group as subject.",
    ),
    "KM-LANE-SHARED": (
        "A writing move without a lane of its own",
        "Topics are copied in lanes, at most mirror.lanes of them. What one move writes has a lane for itself, as long "
        "as there are enough; past that the smallest moves share one with each other, and with topics that nobody "
        "moves.",
        "A move that hands its topics over stops their whole lane, so whatever shares it would stand still too. "
        "`ready` refuses such a move, which would be met only after everything was copied: which topics share a lane "
        "is fixed when they are made.",
        "Raise mirror.lanes to the number that the flag names (64 at most; each is some connections more at the "
        "source) before `provision`. Afterwards `kmigrate rollback --to assess` goes back to where that is possible; "
        "it takes back every move, and everything is copied anew. Or accept the flag with the move as subject: it "
        "stays on the source.",
    ),
    "KM-LISTENER-DEPRECATED": (
        "A listener that Strimzi is about to give up",
        "The plan asks for a listener of type ingress.",
        "Strimzi has deprecated it since 0.51, and it works only with the Ingress controller of nginx, which is "
        "archived. A later Strimzi may not take the cluster as it is, and every client would have to be told another "
        "address.",
        "Choose another type: tlsroute has the same names and one address, through a Gateway that lets TLS through; "
        "loadbalancer needs nothing else. Or accept the flag with the listener as subject.",
    ),
    "KM-LISTENER-UNVERIFIED": (
        "A listener whose names stand in no certificate",
        "The plan asks for a listener of type nodeport: clients are told addresses of nodes.",
        "Those are not known when certificates are made, so a client that checks host names refuses them; and they "
        "change whenever a node is replaced.",
        "Set ssl.endpoint.identification.algorithm to the empty text in the clients, within a network that you trust; "
        "or choose loadbalancer or shared. Accept the flag with the listener as subject.",
    ),
    "KM-NOT-ALL-SEEN": (
        "Not every topic or group can be seen",
        "kmigrate's own principal holds ACLs on the source, and none that lets it describe every topic or every group. "
        "Brokers leave out of a list what one may not describe, and do not say that they do.",
        "A topic, a group or a writer that nobody has decided about may be there, and would be left behind unseen.",
        "Grant DESCRIBE on every topic and every group ('*'); `kmigrate plan --rights` prints the commands. If a role "
        "gives it instead of an ACL, or what is hidden is none of this migration, accept the flag with 'topics' or "
        "'groups' as subject.",
    ),
    "KM-PRINCIPAL-UNASSIGNED": (
        "A principal that belongs to no application",
        "A principal holds ACLs on the source, and no application of the plan is it; kmigrate's and the mirror's own "
        "are known where the plan writes their user names out.",
        "Whoever may write may be a writer that nobody stops: its records would arrive on the side that was left.",
        "Add it to the principals of its application, take its ACLs away, or accept the flag with it as subject.",
    ),
    "KM-READ-UNCOMMITTED": (
        "A reader of uncommitted records",
        "The plan says that this group reads with isolation.level=read_uncommitted.",
        "It may stand past an open transaction: then its move waits until that has ended. And it sees what a mirror "
        "that died in mid-transaction left behind on the target, aborted copies of records that come again.",
        "Set isolation.level=read_committed in the application if it can bear it. Else nothing: `rehearse` and `ready` "
        "count the aborted copies ahead of it; where there are any, its move wants an accept of KM-ABORTED-AHEAD.",
    ),
    "KM-TOPIC-ACCEPTS-MORE": (
        "The target would take records that the source refuses",
        "A topic that changes its owner takes larger records on the target, or records with older or later times, than "
        "the source does. Old times must be taken there, or copies of old records could not be made.",
        "After the hand-over the mirror back brings every new record to the source. One that the source refuses stops "
        "it, and with it the way back and every reader that stayed.",
        "Allow on the source what the flag names (or take the override out of the plan). Accept it where no producer "
        "writes such records.",
    ),
    "KM-TOPIC-COMPACT-SHORT-DELETE-RETENTION": (
        "A compacted topic that forgets deletions soon",
        "The topic is compacted, and its delete.retention.ms is below a day.",
        "A mirror that is further behind than this never sees the tombstone: the key is deleted on the source and "
        "lives on the target.",
        "Raise delete.retention.ms on the source to a day or more while the migration lasts.",
    ),
    "KM-TOPIC-LOGAPPENDTIME": (
        "The broker stamps the records",
        "The topic has message.timestamp.type=LogAppendTime, so records carry the time at which they arrived.",
        "On the target, copies keep the source's times. Records copied back to the source are stamped anew: readers "
        "that count on time see them later than they were.",
        "See to it that no reader depends on the time of records that came back; else set CreateTime on the source.",
    ),
    "KM-TOPIC-MISSING": (
        "A topic of the plan is not on the source",
        "topics.include names a topic that the source does not have, or that kmigrate may not describe.",
        "There is nothing to mirror; its readers could not be moved.",
        "Correct the name, or grant DESCRIBE on the topic to kmigrate's principal.",
    ),
    "KM-TOPIC-SETTING-DROPPED": (
        "A topic setting that Apache Kafka does not know",
        "The topic has settings, such as confluent.*, that exist only on the source.",
        "The target's topic is made without them: schema validation on the broker, for one, ends.",
        "Find out whether somebody relies on it, and what does the same on the target.",
    ),
    "KM-TOPIC-UNASSIGNED": (
        "A topic that nobody decided about",
        "A topic of the source is in neither topics.include nor topics.exclude.",
        "What is not included is not copied. When the source is switched off, its records are gone.",
        "Include it, exclude it (a regular expression over the whole name), or accept the flag with it as subject.",
    ),
    "KM-TOPIC-UNUSED": (
        "A topic that no application uses",
        "topics.include names a topic that no application of the plan reads or writes.",
        "It is mirrored, which costs traffic; or an application is missing from the plan.",
        "Move it to topics.exclude, add the application, or accept the flag with a reason.",
    ),
    "KM-TRANSACTIONAL-ID-UNDECLARED": (
        "A transactional id that no application declares",
        "The ACLs of the source let a principal of the plan use a transactional id, and no application has one like it "
        "in transactionalIds. An ACL for a prefix, or for all ids, is taken as declared by any id that it covers.",
        "When a move stops its application, kmigrate takes the declared ids over: zombies are fenced, and what they "
        "had open is aborted. A forgotten id may leave a transaction open, which holds the ends of the topics, "
        "and so the whole move, until it times out; the move then goes back by itself.",
        "Add the id to transactionalIds of its application; or take the right away, or accept the flag with it as "
        "subject, if nobody uses it.",
    ),
    "KM-WRITE-EVERYBODY": (
        "Everybody may write a topic that changes its owner",
        "An ACL of the source allows Write to User:* on a topic that an application of the plan writes and would take "
        "along to the target.",
        "Who owns a topic is held by rights: the mirror may not write it where it is written, so that one started by "
        "mistake fails instead of copying its own copies back. A right of everybody's is the mirror's, too. And any "
        "client may go on writing the side that was left, which the fence of the known writers does not stop.",
        "Allow the principals that write the topic by name, then remove the ACL of User:*. To accept the flag means to "
        "go on with that guard missing.",
    ),
    "KM-WRITE-UNDECLARED": (
        "An application may write a topic and does not declare it",
        "The ACLs of the source allow a principal of the plan to write a topic that changes its owner, and no "
        "application of that principal has it among its writes.",
        "Those who write the same topic must move together: the fence denies only writers that the plan knows. One "
        "that is forgotten writes on in the old place; the move notices, and turns back or holds.",
        "Add the topic to the writes of the application, or take the right away. Accept the flag where the right is "
        "there and nobody uses it: rights by prefix often reach too far.",
    ),
    "KM-WRITER-STAYS": (
        "A writer stays on the source",
        "The application writes topics of the plan, and the plan file names no mirror.reverse. What it wrote on the "
        "target would not come to the source: readers there would miss it, and it could never go back.",
        "Its topics stay owned by the source, the mirror has to go on running, and decommission stays blocked.",
        "Give mirror.reverse a principal of its own on the source; then it moves. Readers can move without it.",
    ),
}
