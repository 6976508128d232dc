"""The driver of confluent-kafka; its commands are in README.md."""
import functools
import os
import signal
import sys

import confluent_kafka as ck
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka import admin as ad

from lines import cannot, error, options, parse, say, say_record

SERVERS = os.environ['BROKER_ADDRESS']
OLD = ck.version()[0].startswith('2.0.')


@functools.cache
def admin():
    # Kept: a call is given up when its client goes.
    return ad.AdminClient({'bootstrap.servers': SERVERS})


def consumer(**settings):
    return Consumer({'bootstrap.servers': SERVERS, 'group.id': 'unused',
                     'enable.auto.commit': False,
                     **{k.replace('_', '.'): v for k, v in settings.items()}})


def answer(futures):
    """The one result of an admin call."""
    return list(futures.values())[0].result(20)


def produce(topic, *words):
    chosen = options(words)
    each = chosen.get('each') == 'yes'
    producer = Producer({
        'bootstrap.servers': SERVERS, 'linger.ms': 0 if each else 100,
        'compression.codec': chosen.get('codec', 'none'),
        'enable.idempotence': chosen.get('idempotent') == 'yes',
        'message.max.bytes': int(chosen.get('max', 1000000))})
    acked = {}

    def delivered(number):
        def callback(problem, message):
            acked[number] = problem or message.offset()
        return callback

    def done(number, partition):
        producer.flush(20)
        if isinstance(acked[number], ck.KafkaError):
            raise ck.KafkaException(acked[number])
        say(partition, acked[number])

    sent = []
    for number, line in enumerate(iter(sys.stdin.readline, '')):
        partition, time, key, value, headers = parse(line)
        stamp = {} if time is None else {'timestamp': time}
        producer.produce(topic, value, key, partition, headers=headers,
                         callback=delivered(number), **stamp)
        sent.append((number, partition))
        if each:
            done(*sent.pop())
    for number, partition in sent:
        done(number, partition)


def consume(topic, partition, start, count, *words):
    reader = consumer(fetch_wait_max_ms=options(words).get('wait', 500))
    reader.assign([TopicPartition(topic, int(partition), int(start))])
    left = int(count)
    while left > 0:
        m = reader.poll(1)
        if m is None:
            continue
        if m.error():
            raise ck.KafkaException(m.error())
        say_record(m.offset(), m.timestamp()[1], m.key(), m.value(),
                   m.headers())
        left -= 1
    reader.close()


def old_offset(topic, partition, time):
    reader = consumer()
    where = TopicPartition(topic, partition)
    if time in ('earliest', 'latest'):
        first, end = reader.get_watermark_offsets(where, timeout=20)
        say(first if time == 'earliest' else end)
    else:
        where.offset = int(time)
        say(reader.offsets_for_times([where], timeout=20)[0].offset)


def offset(topic, partition, time):
    if OLD:
        return old_offset(topic, int(partition), time)
    spec = {'earliest': ad.OffsetSpec.earliest,
            'latest': ad.OffsetSpec.latest}.get(
                time, lambda: ad.OffsetSpec.for_timestamp(int(time)))
    say(answer(admin().list_offsets(
        {TopicPartition(topic, int(partition)): spec()})).offset)


def member(group, topic, *words):
    chosen = options(words)
    settings = {}
    if 'instance' in chosen:
        settings['group_instance_id'] = chosen['instance']
    reader = consumer(group_id=group, auto_offset_reset='earliest',
                      session_timeout_ms=int(chosen.get('session', 6000)),
                      heartbeat_interval_ms=500, **settings)
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    reader.subscribe([topic], on_assign=lambda _, given: say(
        'assigned', *sorted(p.partition for p in given)))
    while not ended:
        m = reader.poll(0.1)
        if m is not None and not m.error():
            say(m.partition(), m.offset(), m.value().decode(), sep='\t')
            reader.commit(m, asynchronous=True)
    reader.close()


def create(topic, partitions, *words):
    answer(admin().create_topics([ad.NewTopic(
        topic, int(partitions), 1, config=options(words))]))


def delete(topic):
    answer(admin().delete_topics([topic]))


def topics():
    for name in admin().list_topics(timeout=20).topics:
        say(name)


def count(topic):
    found = admin().list_topics(timeout=20).topics.get(topic)
    if found is not None:
        say(len(found.partitions))


def grow(topic, partitions):
    answer(admin().create_partitions([ad.NewPartitions(topic,
                                                       int(partitions))]))


def config(topic, name):
    say(answer(admin().describe_configs(
        [ad.ConfigResource(ad.RESOURCE_TOPIC, topic)]))[name].value)


def alter(topic, name, value):
    if OLD:
        resource = ad.ConfigResource(ad.RESOURCE_TOPIC, topic,
                                     set_config={name: value})
        return answer(admin().alter_configs([resource]))
    answer(admin().incremental_alter_configs([ad.ConfigResource(
        ad.RESOURCE_TOPIC, topic, incremental_configs=[ad.ConfigEntry(
            name, value,
            incremental_operation=ad.AlterConfigOpType.SET)])]))


def trim(topic, partition, before):
    if OLD:
        cannot('no deletion of records')
    say(answer(admin().delete_records([TopicPartition(
        topic, int(partition), int(before))])).low_watermark)


def groups():
    for found in admin().list_consumer_groups().result(20).valid:
        say(found.group_id)


def group(name):
    found = answer(admin().describe_consumer_groups([name]))
    say(found.state.name.capitalize(), len(found.members))


def drop(name):
    answer(admin().delete_consumer_groups([name]))


def committed(name, topic):
    found = answer(admin().list_consumer_group_offsets(
        [ck.ConsumerGroupTopicPartitions(name)]))
    for where in found.topic_partitions:
        if where.topic == topic:
            say(where.partition, where.offset)


def cluster():
    if OLD:
        cannot('no description of the cluster')
    found = admin().describe_cluster().result(20)
    for node in found.nodes:
        say('node', node.id, '%s:%d' % (node.host, node.port))
    say('controller', found.controller.id)


try:
    globals()[sys.argv[1]](*sys.argv[2:])
except ck.KafkaException as e:
    error(e.args[0].code(), e)
