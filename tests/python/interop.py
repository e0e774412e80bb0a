"""Writes records into a topic, or reads all that are there, with clients that are
not Millrace's.

    interop.py write < job.json
    interop.py read < job.json

The job has `brokers`, `topic`, `registry` (a URL), and `key` and `value`: formats
as in formats.py. To write it has `records`, each with `key` and `value` (null, or
left out, is Kafka's null); for each record that was read a line of JSON with the
same comes out. Values that JSON has no word for are as in plain.py.
"""

import json
import sys
import uuid

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.serialization import MessageField, SerializationContext

import formats

# For one answer of a broker that is up, in seconds.
ANSWER = 30


def write(job):
    producer = Producer({"bootstrap.servers": job["brokers"], "enable.idempotence": True})
    key, value = both(job, formats.serializer)
    failures = []

    def delivered(error, _message):
        if error is not None:
            failures.append(str(error))

    for record in job["records"]:
        producer.produce(
            job["topic"],
            key=key(record.get("key")),
            value=value(record.get("value")),
            on_delivery=delivered,
        )
    left = producer.flush(ANSWER)
    if left or failures:
        sys.exit(f"not delivered: {left} waiting, {failures}")


def read(job):
    consumer = Consumer(
        {
            "bootstrap.servers": job["brokers"],
            "group.id": f"interop-{uuid.uuid4()}",  # never joined
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    topic = job["topic"]
    key, value = both(job, formats.deserializer)
    waiting = set(consumer.list_topics(topic, ANSWER).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in waiting])
    while waiting:
        message = consumer.poll(ANSWER)
        if message is None:
            sys.exit(f"nothing came for {ANSWER} s; not at their ends: {waiting}")
        if message.error() is None:
            record = {"key": key(message.key()), "value": value(message.value())}
            print(json.dumps(record, allow_nan=False))
        elif message.error().code() == KafkaError._PARTITION_EOF:
            waiting.remove(message.partition())
        else:
            sys.exit(str(message.error()))
    consumer.close()


def both(job, make):
    """The functions for keys and for values; null is null for both."""
    registry = SchemaRegistryClient({"url": job["registry"]}) if "registry" in job else None

    def one(name, field):
        change = make(job.get(name, {"name": "string"}), registry)
        context = SerializationContext(job["topic"], field)
        return lambda data: None if data is None else change(data, context)

    return one("key", MessageField.KEY), one("value", MessageField.VALUE)


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](json.load(sys.stdin))
