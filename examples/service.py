#!/usr/bin/env python3
"""service.py BROKER ORDERS TOTALS [IDLE_SECONDS]: what each customer has spent.

Orders are records whose key is a customer and whose value is JSON with an
"amount".  The sum so far of each customer goes to the topic TOTALS, as
{"total": 12, "offset": 3}; make it a compacted one, and it stays small.

Stop it, kill it, start it again, start a second one: the group shares the
orders' partitions and goes on where it stopped.  The offset of the last order
that is in a sum is written with the sum, so none is counted twice.

With IDLE_SECONDS it ends when nothing has come for so long.  It needs
kafka-python (Debian: python3-kafka), and logserve or any other broker.
"""

import json
import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition


def read_totals(broker, topic):
    """The last sum of each customer, from the whole topic."""
    totals = {}
    consumer = KafkaConsumer(bootstrap_servers=broker)
    numbers = consumer.partitions_for_topic(topic) or []
    parts = [TopicPartition(topic, number) for number in numbers]
    consumer.assign(parts)
    ends = consumer.end_offsets(parts) if parts else {}
    for part in parts:
        consumer.seek_to_beginning(part)
    while any(consumer.position(part) < ends[part] for part in parts):
        for records in consumer.poll(timeout_ms=1000).values():
            for record in records:
                totals[record.key] = json.loads(record.value)
    consumer.close()
    return totals


def add_orders(records, totals, producer, topic):
    """Count what is new, and write the sums that have changed."""
    for record in records:
        known = totals.get(record.key, {"total": 0, "offset": -1})
        if record.offset <= known["offset"]:
            continue
        amount = json.loads(record.value)["amount"]
        totals[record.key] = {"total": known["total"] + amount,
                              "offset": record.offset}
        producer.send(topic, key=record.key,
                      value=json.dumps(totals[record.key]).encode())


def main(broker, orders, totals_topic, idle=None):
    consumer = KafkaConsumer(
        orders, bootstrap_servers=broker, group_id="totals",
        enable_auto_commit=False, auto_offset_reset="earliest")
    producer = KafkaProducer(bootstrap_servers=broker, acks="all")
    timeout_ms = int(float(idle) * 1000) if idle else 3600000
    totals = None
    while True:
        batch = consumer.poll(timeout_ms=timeout_ms)
        if not batch and idle and consumer.assignment():
            break
        # A member that has come or gone may have written other sums.
        mine = consumer.assignment()
        if totals is None or mine != had:
            totals, had = read_totals(broker, totals_topic), set(mine)
        for records in batch.values():
            add_orders(records, totals, producer, totals_topic)
        producer.flush()
        consumer.commit()
    consumer.close()
    producer.close()


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__.splitlines()[0])
    main(*sys.argv[1:])
