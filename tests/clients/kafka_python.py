"""The driver of kafka-python, 2.0 and 3; its commands are in README.md."""
import os
import re
import signal
import sys

import kafka
from kafka import errors
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.admin import KafkaAdminClient
from kafka.structs import TopicPartition

from lines import cannot, error, options, parse, say, say_record

SERVERS = os.environ['BROKER_ADDRESS']
OLD = kafka.__version__.startswith('2.0.')


def admin():
    return KafkaAdminClient(bootstrap_servers=SERVERS)


def consumer(**settings):
    return kafka.KafkaConsumer(bootstrap_servers=SERVERS,
                               enable_auto_commit=False, **settings)


def produce(topic, *words):
    chosen = options(words)
    each = chosen.get('each') == 'yes'
    codec = chosen.get('codec', 'none')
    settings = {}
    if chosen.get('idempotent') == 'yes':
        if OLD:
            cannot('no idempotent producer')
        settings['enable_idempotence'] = True
    elif not OLD:
        settings['enable_idempotence'] = False
    producer = kafka.KafkaProducer(
        bootstrap_servers=SERVERS, acks='all', retries=5,
        compression_type=None if codec == 'none' else codec,
        linger_ms=0 if each else 100,
        max_request_size=int(chosen.get('max', 1048576)), **settings)
    sent = []
    for line in iter(sys.stdin.readline, ''):
        partition, time, key, value, headers = parse(line)
        if key is None and value is None:
            cannot('no record without key and value')
        if any(data is None for _, data in headers):
            cannot('no header without a value')
        future = producer.send(topic, value, key, headers, partition, time)
        if each:
            say(partition, future.get(20).offset)
        else:
            sent.append((partition, future))
    producer.flush(20)
    for partition, future in sent:
        say(partition, future.get(20).offset)


def consume(topic, partition, start, count, *words):
    wait = int(options(words).get('wait', 500))
    reader = consumer(fetch_max_wait_ms=wait, request_timeout_ms=wait + 60000,
                      connections_max_idle_ms=wait + 120000)
    where = TopicPartition(topic, int(partition))
    reader.assign([where])
    reader.seek(where, int(start))
    left = int(count)
    while left > 0:
        for records in reader.poll(1000).values():
            for r in records[:left]:
                say_record(r.offset, r.timestamp, r.key, r.value, r.headers)
                left -= 1
    reader.close()


def offset(topic, partition, time):
    reader = consumer()
    where = TopicPartition(topic, int(partition))
    if time == 'earliest':
        say(reader.beginning_offsets([where])[where])
    elif time == 'latest':
        say(reader.end_offsets([where])[where])
    else:
        found = reader.offsets_for_times({where: int(time)})[where]
        say('none' if found is None else found.offset)


class Assigned(kafka.ConsumerRebalanceListener):
    """Says what the member has; it may be told of the difference alone."""
    mine = set()

    def on_partitions_revoked(self, revoked):
        self.mine = self.mine - {p.partition for p in revoked}
        say('assigned', *sorted(self.mine))

    def on_partitions_assigned(self, assigned):
        self.mine = self.mine | {p.partition for p in assigned}
        say('assigned', *sorted(self.mine))


def member(group, topic, *words):
    chosen = options(words)
    settings = {}
    if 'instance' in chosen:
        if OLD:
            cannot('no static membership')
        settings['group_instance_id'] = chosen['instance']
    reader = consumer(group_id=group, auto_offset_reset='earliest',
                      session_timeout_ms=int(chosen.get('session', 6000)),
                      request_timeout_ms=305000,
                      heartbeat_interval_ms=500, **settings)
    signal.signal(signal.SIGTERM, end)
    reader.subscribe([topic], listener=Assigned())
    try:
        while not Ended.told:
            step(reader)
    except Ended:
        pass
    reader.close()


class Ended(Exception):
    """It was told to leave."""
    told = False


def end(*_):
    Ended.told = True
    # Within a poll 2.0 has locks that close() would wait for.
    if not OLD:
        raise Ended


def step(reader):
    # Longer than joining takes: a poll of 3.0 that ends meanwhile loses what
    # the member is given, and it never reads again.
    for records in reader.poll(500 if OLD else 60000).values():
        for r in records:
            say(r.partition, r.offset, r.value.decode(), sep='\t')
    try:
        reader.commit()
    except (errors.CommitFailedError, errors.RebalanceInProgressError):
        pass    # The group moved on: it is read again.


def create(topic, partitions, *words):
    admin().create_topics([NewTopic(topic, int(partitions), 1,
                                    topic_configs=options(words))])


def delete(topic):
    admin().delete_topics([topic])


def topics():
    for name in admin().list_topics():
        say(name)


def count(topic):
    for found in admin().describe_topics([topic]):
        say(len(found['partitions']))


def grow(topic, partitions):
    number = int(partitions)
    admin().create_partitions(
        {topic: kafka.admin.NewPartitions(number) if OLD else number})


def config(topic, name):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic,
                              {name: None} if OLD else [name])
    if OLD:
        (answer,) = admin().describe_configs([resource])
        for entry in answer.resources[0][4]:
            say(entry[1])
    else:
        found = admin().describe_configs([resource], config_filter='all')
        say(found['topic'][topic][name]['value'])


def alter(topic, name, value):
    answer = admin().alter_configs([ConfigResource(
        ConfigResourceType.TOPIC, topic, {name: value})])
    if OLD:
        code = answer.resources[0][0]
        if code:
            error(code, answer)
    elif answer['topic'][topic] not in ('OK', None):
        found = answer['topic'][topic]
        error(re.search(r'Error (\d+)', str(found)).group(1), found)


def trim(topic, partition, before):
    if OLD:
        cannot('no deletion of records')
    where = TopicPartition(topic, int(partition))
    say(admin().delete_records({where: int(before)})[where]['low_watermark'])


def groups():
    if OLD:
        for name, _ in admin().list_consumer_groups():
            say(name)
    else:
        for found in admin().list_groups():
            say(found['group_id'])


def group(name):
    if OLD:
        (found,) = admin().describe_consumer_groups([name])
        say(found.state, len(found.members))
    else:
        found = admin().describe_groups([name])[name]
        say(found['group_state'], len(found['members']))


def drop(name):
    if OLD:
        ((_, problem),) = admin().delete_consumer_groups([name])
        if problem is not errors.NoError:
            error(problem.errno, problem)
    else:
        answer = admin().delete_groups([name])[name]
        if answer != 'OK':
            error(getattr(errors, answer).errno, answer)


def committed(name, topic):
    if OLD:
        found = admin().list_consumer_group_offsets(name)
    else:
        found = admin().list_group_offsets([name])[name]
    for where, position in found.items():
        if where.topic == topic:
            say(where.partition, position.offset)


def cluster():
    found = admin().describe_cluster()
    for b in found['brokers']:
        say('node', b['node_id'] if OLD else b['broker_id'],
            '%s:%d' % (b['host'], b['port']))
    say('controller', found['controller_id'])


try:
    globals()[sys.argv[1]](*sys.argv[2:])
except errors.BrokerResponseError as e:
    error(e.errno, e)
