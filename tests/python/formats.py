"""Serializers and deserializers by name, all of them other people's: Confluent's
for what is framed with a schema's id, fastavro for plain Avro.

A format is described by JSON: `{"name": "avro", "schema": "…"}`. What else stands
there is told at each of the functions.
"""

import base64
import io
import json

import fastavro
from confluent_kafka.schema_registry import (
    Schema,
    SchemaReference,
    record_subject_name_strategy,
    topic_record_subject_name_strategy,
    topic_subject_name_strategy,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from plain import to_json, to_python

STRATEGIES = {
    "topic-name": topic_subject_name_strategy,
    "record-name": record_subject_name_strategy,
    "topic-record-name": topic_record_subject_name_strategy,
}


def serializer(described, registry):
    """What makes bytes of JSON, given it and a SerializationContext."""
    return SERIALIZERS[described["name"]](described, registry)


def deserializer(described, registry):
    """What makes JSON of bytes, given them and a SerializationContext."""
    return DESERIALIZERS[described["name"]](described, registry)


def schema_of(described, language):
    """The `schema`, and the `references` of it: lists of name, subject, version."""
    references = [SchemaReference(*each) for each in described.get("references", [])]
    return Schema(described["schema"], language, references)


def settings(described):
    """The `subject` strategy, and whether to `register`, which is so unless told."""
    return {
        "auto.register.schemas": described.get("register", True),
        "subject.name.strategy": STRATEGIES[described.get("subject", "topic-name")],
    }


def avro_serializer(described, registry):
    write = AvroSerializer(registry, schema_of(described, "AVRO"), conf=settings(described))
    return lambda value, context: write(to_python(value), context)


def avro_deserializer(described, registry):
    """With a reader's `schema`, if there is one."""
    reader = schema_of(described, "AVRO") if "schema" in described else None
    read = AvroDeserializer(registry, reader, return_record_name=branches(described))
    return lambda data, context: to_json(read(data, context))


def branches(described):
    """Whether a record in a union of several is given with its name."""
    return described.get("branches", False)


def plain_avro_serializer(described, _registry):
    schema = fastavro.schema.parse_schema(json.loads(described["schema"]))

    def write(value, _context):
        data = io.BytesIO()
        fastavro.schemaless_writer(data, schema, to_python(value))
        return data.getvalue()

    return write


def plain_avro_deserializer(described, _registry):
    schema = fastavro.schema.parse_schema(json.loads(described["schema"]))

    def read(data, _context):
        data = io.BytesIO(data)
        value = fastavro.schemaless_reader(
            data, schema, None, return_record_name=branches(described)
        )
        rest = data.read()
        if rest:
            raise ValueError(f"{len(rest)} bytes behind the datum")
        return to_json(value)

    return read


def json_serializer(described, registry):
    return JSONSerializer(schema_of(described, "JSON"), registry, conf=settings(described))


def json_deserializer(described, registry):
    return JSONDeserializer(schema_of(described, "JSON"), schema_registry_client=registry)


def protobuf_class(described):
    """The class of a `message` in a `file`: a FileDescriptorProto in base64."""
    file = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(described["file"]))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(described["message"]))


def protobuf_serializer(described, registry):
    message = protobuf_class(described)
    conf = settings(described) | {"use.deprecated.format": False}
    write = ProtobufSerializer(message, registry, conf=conf)
    return lambda value, context: write(json_format.ParseDict(value, message()), context)


def protobuf_deserializer(described, registry):
    conf = {"use.deprecated.format": False}
    read = ProtobufDeserializer(protobuf_class(described), conf, registry)

    def message(data, context):
        return json_format.MessageToDict(read(data, context), preserving_proto_field_name=True)

    return message


def string_serializer(_described, _registry):
    return lambda value, _context: value.encode()


def string_deserializer(_described, _registry):
    return lambda data, _context: data.decode()


SERIALIZERS = {
    "avro": avro_serializer,
    "avro-plain": plain_avro_serializer,
    "json-schema": json_serializer,
    "protobuf": protobuf_serializer,
    "string": string_serializer,
}

DESERIALIZERS = {
    "avro": avro_deserializer,
    "avro-plain": plain_avro_deserializer,
    "json-schema": json_deserializer,
    "protobuf": protobuf_deserializer,
    "string": string_deserializer,
}
