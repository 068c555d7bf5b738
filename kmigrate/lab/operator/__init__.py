"""A stand-in for the Strimzi operator 1.2.0: Strimzi resources in a ResourceStore become processes on this machine.

It is handed a store and knows no step of kmigrate. Each rule has a test named by its number in `tests/lab/operator`.
Sources are classes of Strimzi 1.2.0 or sections of its documentation and of `strimzi.md`.

Every kind
 1  status.observedGeneration is the generation reconciled; success is Ready=True, failure NotReady=True with the
    exception's class as reason; before the first end NotReady/Creating                      StatusUtils; strimzi.md §3
 2  a condition keeps its lastTransitionTime while nothing else of it changes, and a status that differs in times alone
    is not written                                                                          StatusDiff
 3  strimzi.io/pause-reconciliation: "true" stops everything but a condition ReconciliationPaused; observedGeneration
    stays old                                                                               Annotations; strimzi.md §3
 4  a change of generation, labels or annotations is reconciled at once, everything at the interval
                                                               Operator; STRIMZI_FULL_RECONCILIATION_INTERVAL_MS
 5  a topic, user or pool whose label strimzi.io/cluster names no Kafka is ignored: no status        strimzi.md §2.5
Kafka, KafkaNodePool
 6  status tells listeners with addresses (configuration.brokers[].advertisedPort where it is said) and certificates,
    clusterId, versions, pools; Secret <c>-cluster-ca-cert holds ca.crt              KafkaReconciler; strimzi.md §3
 7  listeners vanish while NotReady, clusterId and versions stay       KafkaAssemblyOperator.createOrUpdate
 8  refused: no pool, no controller, no broker                                              KafkaPoolUtils, KafkaCluster
 9  refused: a version that is not supported                                                KafkaVersion.Lookup
10  refused: more copies (default, offsets, transaction log) than brokers; listeners of the same name or port
                                                                                     KafkaCluster, ListenersValidator
11  settings of the operator's own (listeners, sasl., ssl., super.user, …) are left out and logged
                                                                    KafkaClusterSpec.FORBIDDEN_PREFIXES
12  min.insync.replicas is 1 when absent; missing copies are told as Warning beside Ready           KafkaSpecChecker
13  changed settings roll the brokers; a process that ended is started again      KafkaRoller; the kubelet
14  a pool has nodeIds, roles, replicas, clusterId in status and no Ready condition                  strimzi.md §2.1
KafkaTopic
15  made with partitions, replicas (absent: the broker's default) and settings; topicName, topicId in status
                                                                                            BatchingTopicController
16  failure is Ready=False with reason KafkaError, NotSupported or ResourceConflict         BatchingTopicController
17  NotSupported: fewer partitions, another replication factor, another topicName           BatchingTopicController
18  more partitions are added, settings are changed and removed                             BatchingTopicController
19  settings changed by hand come back at the interval: the resource always wins            BatchingTopicController
20  two resources for one topic: the younger is ResourceConflict                            BatchingTopicController
21  a resource that goes takes its topic along; managed: "false" detaches it (condition Unmanaged)   strimzi.md §2.5
KafkaUser
22  Secret <name> with password and sasl.jaas.config; a password that is there stays; status.username, status.secret
                                                                                            KafkaUserModel
23  an imported password is used; without its Secret the user is NotReady/InvalidResourceException   KafkaUserModel
24  ACLs are exactly the spec's, allow and deny                                             SimpleAclOperator
25  ACLs made by hand, and those and the credentials of users without a resource, go at the interval
                                                                            KafkaUserOperator, strimzi.md §2.5
26  a resource that goes takes credentials, ACLs and Secret along                           KafkaUserOperator
KafkaMirrorMaker2
27  spec.replicas Connect workers with the settings of spec.target; connectors
    <source>-><target>.MirrorSourceConnector / .MirrorCheckpointConnector    KafkaMirrorMaker2Cluster, …Connectors
28  <cluster>-kafka-bootstrap.<namespace>.svc:<port> is the listener of that port            strimzi.md §2.3
29  a missing Secret, or key in it: NotReady/InvalidConfigurationException                  KafkaMirrorMaker2Cluster
30  a new connector is made in its state (stopped ones never start); later a state is put without rolling workers
                                                               AbstractConnectOperator.maybeUpdateConnectorState
31  a connector that is not in the spec is deleted; adding or removing a mirror rolls the workers
                                                               KafkaMirrorMaker2AssemblyOperator; strimzi.md §2.6
32  status.connectors holds Connect's raw status; a FAILED task leaves the resource Ready
                                             KafkaMirrorMaker2AssemblyOperator.createOrUpdateConnectors; issue 5715
33  a FAILED connector makes it NotReady                                                    the same
34  status.connectors is as old as the last reconcile; any change of the resource refreshes it       strimzi.md §3
35  settings changed by hand over REST come back at the interval                            AbstractConnectOperator
36  a worker that ended is started again                                                    the kubelet
37  annotations connector-offsets: list and mirrormaker-connector: NAME write Connect's offsets into the ConfigMap of
    listOffsets, key NAME with -- for -> and .json; then both annotations go; one without the other is a Warning
    ManageOffsets, the name of no connector is passed over in silence
                                                AbstractConnectOperator; KafkaMirrorMaker2AssemblyOperator
38  connector-offsets: alter sets those of the ConfigMap of alterOffsets; a failure (a connector that is not STOPPED, a
    busy Connect, any reset) is a Warning beside Ready, the annotations stay, tried again at the interval      the same
KafkaConnect
39  spec.replicas Connect workers with the settings of spec, JSON converters unless set; config providers of the user
    and strimzisecrets; url and connectorPlugins in status; a missing Secret as in 29
                                             KafkaConnectCluster, KafkaConnectConfiguration, …ConfigurationBuilder
40  what the pods are made of rolls them (settings, template, the secrets of their own sign-in); annotations, connectors
    and their states do not                                                    KafkaConnectAssemblyOperator
41  Secrets mounted below /mnt are files that follow their Secret without a roll; InvalidResourceException for a mount
    elsewhere, TimeoutException while a Secret or a key of it is missing           TemplateUtils; the kubelet
42  with strimzi.io/use-connector-resources: "true" a connector without a resource is deleted; without it no connector
    is touched, and each resource is NotReady/NoSuchResourceException               KafkaConnectAssemblyOperator
KafkaConnector
43  NotReady without the label strimzi.io/cluster (InvalidResourceException), without its KafkaConnect
    (NoSuchResourceException), or when that has 0 replicas (RuntimeException)                  the same
44  made under metadata.name in its state, later steered; a resource that goes takes its connector along, offsets stay
                                                  the same; AbstractConnectOperator.updateState
45  name, connector.class, tasks.max and connector.plugin.version in config are left out; settings changed by hand come
    back at the interval                            KafkaConnectorConfiguration, AbstractConnectOperator
46  status.connectorStatus is Connect's raw status, with tasksMax and topics; NotReady/Throwable when the connector or
    any task is FAILED                     KafkaConnectAssemblyOperator.maybeUpdateConnectorStatus
47  a status that changed is a change like any other: reconciled again until it stays the same, mirrors and groups too
                                                     AbstractOperator.createWatch, connectorEventHandler
48  connector-offsets: list, alter or reset as in 37 and 38 with the one annotation, key offsets.json; a word that is
    none of them is NotReady/IllegalArgumentException     AbstractConnectOperator.manageConnectorOffsets
Both
49  with autoRestart.enabled what FAILED is started again (connector and tasks, only those), n * n + n minutes after the
    n-th time, capped at 60, at most maxRestarts times; counted in status.autoRestart(Statuses) until it was well for as
    long                                                          AbstractConnectOperator.shouldAutoRestart
Kafka, KafkaNodePool, again
50  nodes keep the ids that their pool's status has; a new one gets the first free of strimzi.io/next-node-ids, else the
    first free from 0; an id is one node's in the whole cluster                             NodeIdAssignor
51  pools of controllers and of brokers are processes apart; clients are told the brokers only        strimzi.md §2.1
52  a load balancer that never gets an address: NotReady/TimeoutException with its Service, listeners gone
                                                                        KafkaListenersReconciler; Util.waitFor

Different from the real one: addresses are those of this machine, in status.listeners, in status.url and in connectors'
settings, and paths below /mnt are below the lab's folder; a Secret's content counts at the interval only; a pod that
cannot start, or a load balancer (nothing here gives it an address), is told at once, not after minutes; what is deleted
while nobody runs is not noticed;
a minute of rule 49 is half an interval, as in production, however short that is.
Missing: other listeners than TLS with SCRAM, user certificates, quotas, changes of listeners or of the number of nodes,
images and plugins of one's own, other volumes than Secrets, strimzisecrets in a connector's
settings (all refused when asked for); annotated restarts, rebalances, metrics.
"""

from kmigrate.lab.operator.loop import Operator

__all__ = ["Operator"]
