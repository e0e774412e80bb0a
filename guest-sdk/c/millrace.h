/*
 * millrace.h: Millrace plugins in C. C11 and C++17.
 *
 *     #define MILLRACE_IMPLEMENTATION
 *     #include "millrace.h"
 *
 *     // Drops records without a value, and marks the others as seen.
 *     static millrace_verdict mark(millrace_call *call, const millrace_message *message)
 *     {
 *         if (millrace_is_null(message->value)) {
 *             return millrace_drop();
 *         }
 *         millrace_output output = millrace_source();
 *         millrace_add_header(call, &output, millrace_text("seen"), millrace_text("1"));
 *         return millrace_replace(output);
 *     }
 *
 *     MILLRACE_TRANSFORM(NULL, mark);
 *
 * Include it wherever it is wanted, and define MILLRACE_IMPLEMENTATION before it in one
 * file. Compiled for wasm32 it has the contract's exports (wit/, version 0.1.0);
 * elsewhere the same code is for unit tests.
 *
 * Memory: nobody frees anything. What comes in, and what millrace_alloc and its kin give,
 * lives until the call's end, when all of it is gone at once. What goes out must live as
 * long: a literal, a view of what came in, memory of the call, a static variable, but no
 * local array (millrace_copy makes memory of the call of one).
 */
#ifndef MILLRACE_H
#define MILLRACE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lets the compiler check the arguments of what takes a format as printf does. */
#if defined(__GNUC__) || defined(__clang__)
#define MILLRACE_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define MILLRACE_PRINTF(text, first)
#endif

/* --- Bytes ------------------------------------------------------------------------ */

/*
 * Bytes or text, owned by somebody else. Where `data` is NULL it is Kafka's null, which
 * is not the same as empty. Behind all that comes in stands a zero byte that `size` does
 * not count, so that strtod and its kin may read it; there may be others inside.
 */
typedef struct millrace_bytes {
    const char *data;
    size_t size;
} millrace_bytes;

/* Kafka's null. */
static inline millrace_bytes millrace_null(void)
{
    millrace_bytes bytes = {NULL, 0};
    return bytes;
}

/* `size` bytes at `data`; empty where both are nothing. */
static inline millrace_bytes millrace_view(const void *data, size_t size)
{
    millrace_bytes bytes = {data == NULL ? "" : (const char *)data, size};
    return bytes;
}

/* A text that ends with a zero byte, without it. */
static inline millrace_bytes millrace_text(const char *text)
{
    return millrace_view(text, strlen(text));
}

static inline bool millrace_is_null(millrace_bytes bytes)
{
    return bytes.data == NULL;
}

/* Whether both are the same bytes, or both null. */
static inline bool millrace_equal(millrace_bytes a, millrace_bytes b)
{
    return a.size == b.size && (a.data == NULL) == (b.data == NULL) &&
           (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Whether `bytes` are this text. */
static inline bool millrace_is(millrace_bytes bytes, const char *text)
{
    return millrace_equal(bytes, millrace_text(text));
}

/*
 * For "%.*s": millrace_log_info("got %.*s", MILLRACE_ARG(message->key)). As printf has it,
 * the text ends at a zero byte; the functions that take bytes have no such end.
 */
#define MILLRACE_ARG(bytes) (int)(bytes).size, (bytes).data == NULL ? "" : (bytes).data

/*
 * How many bytes from the start are UTF-8. Where that is not all, `*bad` (unless it is
 * NULL) becomes the length of what is not, 1 to 3, or 0 where a character is cut off by
 * the end.
 */
size_t millrace_utf8_prefix(millrace_bytes bytes, size_t *bad);

static inline bool millrace_is_utf8(millrace_bytes bytes)
{
    return millrace_utf8_prefix(bytes, NULL) == bytes.size;
}

/* --- What comes in ---------------------------------------------------------------- */

/* One header of a record. Names may repeat, and their order is kept. */
typedef struct millrace_header {
    millrace_bytes name; /* UTF-8 */
    millrace_bytes value;
} millrace_header;

/* Who set a message's timestamp. */
enum {
    MILLRACE_NOT_AVAILABLE,  /* the record has none */
    MILLRACE_CREATE_TIME,    /* its producer */
    MILLRACE_LOG_APPEND_TIME /* the broker, when it appended it */
};

typedef struct millrace_timestamp {
    int kind;       /* MILLRACE_NOT_AVAILABLE and so on */
    int64_t millis; /* since 1970-01-01T00:00:00Z; 0 where there is none */
} millrace_timestamp;

/* One record as it was consumed, or as the plugin before this one sent it. */
typedef struct millrace_message {
    millrace_bytes key;
    millrace_bytes value;
    const millrace_header *headers;
    size_t header_count;
    int64_t offset; /* in its partition */
    millrace_timestamp timestamp;
} millrace_message;

/*
 * The value of the last header of this name (as Kafka's lastHeader): null where there is
 * none, or where it is null.
 */
millrace_bytes millrace_header_of(const millrace_message *message, const char *name);

/* Which part of a record a codec's payload is. */
enum { MILLRACE_KEY, MILLRACE_VALUE };

/* One call of the host's: where its records are from, and the memory that it may use. */
typedef struct millrace_call {
    millrace_bytes topic; /* which they come from; to a serializer, go to */
    int32_t partition;    /* a transform's, from 0 */
    int field;            /* a codec's: MILLRACE_KEY or MILLRACE_VALUE */
    /* What follows is nobody's but this header's. */
    struct millrace__chunk *chunks;
    char *next, *end;
} millrace_call;

/* --- Memory of a call ------------------------------------------------------------- */

/*
 * `size` bytes that live until the call ends, aligned for everything. It never returns
 * NULL: where there is no more memory the plugin breaks, and the host says why.
 */
void *millrace_alloc(millrace_call *call, size_t size);

/* A copy, with a zero byte behind it. Null stays null. */
millrace_bytes millrace_copy(millrace_call *call, millrace_bytes bytes);

/* All parts, one behind the other, with a zero byte behind them. Null is as empty. */
millrace_bytes millrace_join(millrace_call *call, const millrace_bytes *parts, size_t count);

/* Text as by printf, with a zero byte behind it. */
MILLRACE_PRINTF(2, 3)
millrace_bytes millrace_printf(millrace_call *call, const char *format, ...);
millrace_bytes millrace_vprintf(millrace_call *call, const char *format, va_list arguments);

/*
 * For memory that is needed for a part of a call only: millrace_release frees all that
 * was allocated since the mark.
 */
typedef struct millrace_mark {
    struct millrace__chunk *chunk;
    char *next;
} millrace_mark;

static inline millrace_mark millrace_mark_now(const millrace_call *call)
{
    millrace_mark mark = {call->chunks, call->next};
    return mark;
}

void millrace_release(millrace_call *call, millrace_mark mark);

/* --- What goes out ---------------------------------------------------------------- */

/* What a key, a value or the headers are made of. 0 is the source message's own. */
enum {
    MILLRACE_SOURCE,
    MILLRACE_NULL,  /* a payload: Kafka's null */
    MILLRACE_BYTES, /* a payload: these bytes */
    MILLRACE_APPEND = 1, /* headers: the source's, and these after them */
    MILLRACE_ONLY = 2    /* headers: these alone */
};

typedef struct millrace_payload {
    uint8_t kind; /* MILLRACE_SOURCE, MILLRACE_NULL or MILLRACE_BYTES */
    millrace_bytes bytes;
} millrace_payload;

typedef struct millrace_output_headers {
    uint8_t kind; /* MILLRACE_SOURCE, MILLRACE_APPEND or MILLRACE_ONLY */
    millrace_header *list;
    size_t count;
} millrace_output_headers;

/*
 * One record that goes out. All zero (millrace_source) it is as its source, and goes to
 * the default topic; the functions below change parts of it.
 */
typedef struct millrace_output {
    struct {
        bool set;
        millrace_bytes name;
    } topic;
    struct {
        bool set;
        int32_t number;
    } partition;
    struct {
        bool set;
        int64_t millis;
    } timestamp;
    millrace_payload key;
    millrace_payload value;
    millrace_output_headers headers;
} millrace_output;

/* Everything as in the source message, to the default topic. */
static inline millrace_output millrace_source(void)
{
    millrace_output output;
    memset(&output, 0, sizeof output);
    return output;
}

static inline millrace_payload millrace_payload_of(millrace_bytes bytes)
{
    millrace_payload payload;
    payload.kind = bytes.data == NULL ? MILLRACE_NULL : MILLRACE_BYTES;
    payload.bytes = bytes;
    return payload;
}

/* This key; null is Kafka's. */
static inline void millrace_set_key(millrace_output *output, millrace_bytes key)
{
    output->key = millrace_payload_of(key);
}

/* This value; null is Kafka's. */
static inline void millrace_set_value(millrace_output *output, millrace_bytes value)
{
    output->value = millrace_payload_of(value);
}

/* To this topic. */
static inline void millrace_set_topic(millrace_output *output, millrace_bytes topic)
{
    output->topic.set = true;
    output->topic.name = topic;
}

/* To this partition, from 0. */
static inline void millrace_set_partition(millrace_output *output, int32_t partition)
{
    output->partition.set = true;
    output->partition.number = partition;
}

/* With this timestamp, in milliseconds since the epoch. */
static inline void millrace_set_timestamp(millrace_output *output, int64_t millis)
{
    output->timestamp.set = true;
    output->timestamp.millis = millis;
}

/* Adds a header to those that it has: the source's, unless they were left out. */
void millrace_add_header(millrace_call *call, millrace_output *output, millrace_bytes name,
                         millrace_bytes value);

/* Leaves the source's headers out, and those added before: it has these (or none, by 0). */
void millrace_only_headers(millrace_call *call, millrace_output *output,
                           const millrace_header *headers, size_t count);

/* --- Verdicts --------------------------------------------------------------------- */

/* What becomes of a message. */
enum {
    MILLRACE_FORWARD,
    MILLRACE_DROP,
    MILLRACE_REPLACE,
    MILLRACE_EXPAND,
    MILLRACE_FAIL
};

typedef struct millrace_verdict {
    uint8_t kind; /* MILLRACE_FORWARD and so on */
    union {
        millrace_output replace;
        struct {
            millrace_output *list;
            size_t count;
        } expand;
        millrace_bytes fail;
    } as;
} millrace_verdict;

static inline millrace_verdict millrace__verdict(uint8_t kind)
{
    millrace_verdict verdict;
    verdict.kind = kind;
    return verdict;
}

/* It goes to the default topic unchanged. */
static inline millrace_verdict millrace_forward(void)
{
    return millrace__verdict(MILLRACE_FORWARD);
}

/* It was filtered out on purpose. */
static inline millrace_verdict millrace_drop(void)
{
    return millrace__verdict(MILLRACE_DROP);
}

/* This goes out in its place. */
static inline millrace_verdict millrace_replace(millrace_output output)
{
    millrace_verdict verdict = millrace__verdict(MILLRACE_REPLACE);
    verdict.as.replace = output;
    return verdict;
}

/* The same record with this value goes out. */
static inline millrace_verdict millrace_replace_value(millrace_bytes value)
{
    millrace_verdict verdict = millrace__verdict(MILLRACE_REPLACE);
    verdict.as.replace = millrace_source();
    millrace_set_value(&verdict.as.replace, value);
    return verdict;
}

/* These go out in its place, in this order; none is as drop. The array is copied. */
millrace_verdict millrace_expand(millrace_call *call, const millrace_output *outputs,
                                 size_t count);

/*
 * It can't be processed: the pipeline's error policy has it, and the messages around it
 * go on. The reason is as by printf; bytes that are not UTF-8 become U+FFFD.
 */
MILLRACE_PRINTF(2, 3)
millrace_verdict millrace_fail(millrace_call *call, const char *format, ...);
millrace_verdict millrace_fail_text(millrace_call *call, millrace_bytes reason);

/* --- Results of init and of codecs ------------------------------------------------ */

typedef struct millrace_result {
    bool failed;
    millrace_bytes bytes; /* what was made, or why not */
} millrace_result;

/* init: all is well. */
static inline millrace_result millrace_ready(void)
{
    millrace_result result = {false, {NULL, 0}};
    return result;
}

/* A codec: the payload became this. */
static inline millrace_result millrace_ok(millrace_bytes bytes)
{
    millrace_result result = {false, bytes};
    return result;
}

/*
 * init: the plugin is refused. A codec: the record is rejected, alone. The reason is as
 * millrace_fail's.
 */
MILLRACE_PRINTF(2, 3)
millrace_result millrace_error(millrace_call *call, const char *format, ...);
millrace_result millrace_error_text(millrace_call *call, millrace_bytes reason);

/* --- The host's log --------------------------------------------------------------- */

enum {
    MILLRACE_LOG_TRACE, /* for following single records */
    MILLRACE_LOG_DEBUG, /* for finding a fault */
    MILLRACE_LOG_INFO,  /* for what happens once in a while, as it should */
    MILLRACE_LOG_WARN,  /* for what is odd, with no data lost */
    MILLRACE_LOG_ERROR  /* for what needs a person */
};

/* Writes one line, as by printf; in a unit test to stderr. */
MILLRACE_PRINTF(2, 3)
void millrace_log(int level, const char *format, ...);
void millrace_log_text(int level, millrace_bytes text);

#define millrace_log_trace(...) millrace_log(MILLRACE_LOG_TRACE, __VA_ARGS__)
#define millrace_log_debug(...) millrace_log(MILLRACE_LOG_DEBUG, __VA_ARGS__)
#define millrace_log_info(...) millrace_log(MILLRACE_LOG_INFO, __VA_ARGS__)
#define millrace_log_warn(...) millrace_log(MILLRACE_LOG_WARN, __VA_ARGS__)
#define millrace_log_error(...) millrace_log(MILLRACE_LOG_ERROR, __VA_ARGS__)

/* --- The plugin ------------------------------------------------------------------- */

/*
 * Called once, before anything else, on every new instance, with the pipeline's
 * configuration ("" where there is none). An error refuses the plugin, and its text is
 * shown to the user.
 */
typedef millrace_result millrace_init(millrace_call *call, millrace_bytes config);

/* Judges one message. */
typedef millrace_verdict millrace_transform(millrace_call *call,
                                            const millrace_message *message);

/*
 * Judges a batch: verdicts[i] is messages[i]'s. One that is not written is a fail. For
 * what is cheaper done for many at once.
 */
typedef void millrace_transform_batch(millrace_call *call, const millrace_message *messages,
                                      size_t count, millrace_verdict *verdicts);

/* Decodes or encodes one payload, which may be empty but is never Kafka's null. */
typedef millrace_result millrace_convert(millrace_call *call, millrace_bytes payload);

/* The same for many of one topic and field: results[i] is payloads[i]'s. */
typedef void millrace_convert_batch(millrace_call *call, const millrace_bytes *payloads,
                                    size_t count, millrace_result *results);

/*
 * Makes the component a plugin: one of these lines for each interface that it has, in any
 * C file. INIT may be NULL. What a plugin remembers between calls stands in static
 * variables; it is lost with its instance: a cache, no store.
 *
 *     MILLRACE_TRANSFORM(INIT, TRANSFORM);
 *     MILLRACE_TRANSFORM_BATCH(INIT, TRANSFORM_BATCH);
 *     MILLRACE_DESERIALIZER(INIT, CONVERT);
 *     MILLRACE_DESERIALIZER_BATCH(INIT, CONVERT_BATCH);
 *     MILLRACE_SERIALIZER(INIT, CONVERT);
 *     MILLRACE_SERIALIZER_BATCH(INIT, CONVERT_BATCH);
 */
#define MILLRACE_TRANSFORM(init, transform) \
    MILLRACE__TRANSFORM(init, transform, NULL)
#define MILLRACE_TRANSFORM_BATCH(init, transform_batch) \
    MILLRACE__TRANSFORM(init, NULL, transform_batch)
#define MILLRACE_DESERIALIZER(init, convert) \
    MILLRACE__CODEC("deserializer", "deserialize", deserializer, init, convert, NULL)
#define MILLRACE_DESERIALIZER_BATCH(init, convert_batch) \
    MILLRACE__CODEC("deserializer", "deserialize", deserializer, init, NULL, convert_batch)
#define MILLRACE_SERIALIZER(init, convert) \
    MILLRACE__CODEC("serializer", "serialize", serializer, init, convert, NULL)
#define MILLRACE_SERIALIZER_BATCH(init, convert_batch) \
    MILLRACE__CODEC("serializer", "serialize", serializer, init, NULL, convert_batch)

/* --- For unit tests --------------------------------------------------------------- */

/* A call to test with: of this topic, partition 0, a value. End it with millrace_end. */
static inline millrace_call millrace_begin(const char *topic)
{
    millrace_call call;
    memset(&call, 0, sizeof call);
    call.topic = millrace_text(topic);
    call.field = MILLRACE_VALUE;
    return call;
}

/* Frees all memory of the call. */
void millrace_end(millrace_call *call);

/* A message with this value, a null key, no headers, offset 0 and no timestamp. */
static inline millrace_message millrace_message_of(millrace_bytes value)
{
    millrace_message message;
    memset(&message, 0, sizeof message);
    message.value = value;
    return message;
}

/*
 * The verdicts of a batch as the host gets them: those of outputs that no record can have
 * (a topic or a header's name that is not UTF-8) have become fails.
 */
void millrace_check(millrace_call *call, millrace_verdict *verdicts, size_t count);

/* --- The contract's functions ----------------------------------------------------- */

#ifdef __wasm32__

/*
 * The canonical ABI, as the host calls it: a list or a string is its address and its
 * length; the size and the fields' offsets of all else follow from the contract. The
 * types above that go out are laid out as there, and are handed over as they are:
 * only headers are not. What comes in is made into those above, in its own place.
 */
#ifdef __cplusplus
#define MILLRACE__LAID_OUT(what) static_assert(what, "the canonical ABI's layout")
#else
#define MILLRACE__LAID_OUT(what) _Static_assert(what, "the canonical ABI's layout")
#endif

MILLRACE__LAID_OUT(sizeof(millrace_bytes) == 8);
MILLRACE__LAID_OUT(sizeof(millrace_result) == 12 && offsetof(millrace_result, bytes) == 4);
MILLRACE__LAID_OUT(sizeof(millrace_payload) == 12 && offsetof(millrace_payload, bytes) == 4);
MILLRACE__LAID_OUT(sizeof(millrace_output_headers) == 12 &&
                   offsetof(millrace_output_headers, list) == 4 &&
                   offsetof(millrace_output_headers, count) == 8);
MILLRACE__LAID_OUT(sizeof(millrace_output) == 80 &&
                   offsetof(millrace_output, topic.name) == 4 &&
                   offsetof(millrace_output, partition) == 12 &&
                   offsetof(millrace_output, partition.number) == 16 &&
                   offsetof(millrace_output, timestamp) == 24 &&
                   offsetof(millrace_output, timestamp.millis) == 32 &&
                   offsetof(millrace_output, key) == 40 &&
                   offsetof(millrace_output, value) == 52 &&
                   offsetof(millrace_output, headers) == 64);
MILLRACE__LAID_OUT(sizeof(millrace_verdict) == 88 && offsetof(millrace_verdict, as) == 8);

/* option<list<u8>> */
typedef struct millrace__optional {
    bool some;
    millrace_bytes bytes; /* anything, where there is none */
} millrace__optional;

typedef struct millrace__header {
    millrace_bytes name;
    millrace__optional value;
} millrace__header;

typedef struct millrace__message {
    millrace__optional key;
    millrace__optional value;
    millrace__header *headers;
    size_t header_count;
    int64_t offset;
    uint8_t timestamp;
    int64_t millis; /* anything, where there is none */
} millrace__message;

MILLRACE__LAID_OUT(sizeof(millrace__header) == 20 && offsetof(millrace__header, value) == 8);
MILLRACE__LAID_OUT(sizeof(millrace__message) == 56 &&
                   offsetof(millrace__message, headers) == 24 &&
                   offsetof(millrace__message, offset) == 32 &&
                   offsetof(millrace__message, timestamp) == 40 &&
                   offsetof(millrace__message, millis) == 48);
/* Room for what it becomes. */
MILLRACE__LAID_OUT(sizeof(millrace_header) <= sizeof(millrace__header));
MILLRACE__LAID_OUT(sizeof(millrace_message) <= sizeof(millrace__message));

/* list<verdict>, list<result<list<u8>, string>> */
typedef struct millrace__list {
    void *data;
    size_t size;
} millrace__list;

extern millrace_call millrace__current;

millrace_message *millrace__messages(void *messages, size_t count);
const millrace_result *millrace__init(millrace_init *init, const char *config, size_t size);
millrace_verdict *millrace__verdicts(size_t count);
const millrace__list *millrace__judged(millrace_verdict *verdicts, size_t count);
millrace_result *millrace__results(size_t count);
const millrace__list *millrace__converted(millrace_result *results, size_t count);

/* Where `one` is known, it becomes part of the loop. */
static inline const millrace__list *
millrace__process(const char *topic, size_t topic_size, int32_t partition, void *raw,
                  size_t count, millrace_transform *one, millrace_transform_batch *all)
{
    millrace_call *call = &millrace__current;
    call->topic = millrace_view(topic, topic_size);
    call->partition = partition;
    millrace_message *messages = millrace__messages(raw, count);
    millrace_verdict *verdicts = millrace__verdicts(count);
    if (all != NULL) {
        all(call, messages, count, verdicts);
    } else {
        for (size_t i = 0; i < count; i++) {
            verdicts[i] = one(call, &messages[i]);
        }
    }
    return millrace__judged(verdicts, count);
}

static inline const millrace__list *
millrace__convert(const char *topic, size_t topic_size, int32_t field,
                  const millrace_bytes *payloads, size_t count, millrace_convert *one,
                  millrace_convert_batch *all)
{
    millrace_call *call = &millrace__current;
    call->topic = millrace_view(topic, topic_size);
    call->field = field;
    millrace_result *results = millrace__results(count);
    if (all != NULL) {
        all(call, payloads, count, results);
    } else {
        for (size_t i = 0; i < count; i++) {
            results[i] = one(call, payloads[i]);
        }
    }
    return millrace__converted(results, count);
}

#ifdef __cplusplus
#define MILLRACE__C extern "C"
#else
#define MILLRACE__C
#endif
#define MILLRACE__EXPORT(name) MILLRACE__C __attribute__((export_name(name)))

#define MILLRACE__TRANSFORM(init, one, all)                                                 \
    MILLRACE__SHARED(transform, "millrace:plugin/transform@0.1.0", "process", init)         \
    MILLRACE__EXPORT("millrace:plugin/transform@0.1.0#process")                             \
    const void *millrace__transform(const char *topic, size_t topic_size,                   \
                                    int32_t partition, void *messages, size_t count);       \
    const void *millrace__transform(const char *topic, size_t topic_size,                   \
                                    int32_t partition, void *messages, size_t count)        \
    {                                                                                       \
        return millrace__process(topic, topic_size, partition, messages, count, one, all);  \
    }                                                                                       \
    extern millrace_call millrace__current

#define MILLRACE__CODEC(interface, function, which, init, one, all)                         \
    MILLRACE__SHARED(which, "millrace:plugin/" interface "@0.1.0", function, init)          \
    MILLRACE__EXPORT("millrace:plugin/" interface "@0.1.0#" function)                       \
    const void *millrace__##which(const char *topic, size_t topic_size, int32_t field,      \
                                  const millrace_bytes *payloads, size_t count);            \
    const void *millrace__##which(const char *topic, size_t topic_size, int32_t field,      \
                                  const millrace_bytes *payloads, size_t count)             \
    {                                                                                       \
        return millrace__convert(topic, topic_size, field, payloads, count, one, all);      \
    }                                                                                       \
    extern millrace_call millrace__current

/* An interface's init, and what the host calls when it has read what a call returned. */
#define MILLRACE__SHARED(which, interface, function, init)                                  \
    MILLRACE__EXPORT(interface "#init")                                                     \
    const void *millrace__##which##_init(const char *config, size_t size);                  \
    const void *millrace__##which##_init(const char *config, size_t size)                   \
    {                                                                                       \
        return millrace__init(init, config, size);                                          \
    }                                                                                       \
    MILLRACE__EXPORT("cabi_post_" interface "#init")                                        \
    void millrace__##which##_init_end(void *result);                                        \
    void millrace__##which##_init_end(void *result)                                         \
    {                                                                                       \
        (void)result;                                                                       \
        millrace_end(&millrace__current);                                                   \
    }                                                                                       \
    MILLRACE__EXPORT("cabi_post_" interface "#" function)                                   \
    void millrace__##which##_end(void *result);                                             \
    void millrace__##which##_end(void *result)                                              \
    {                                                                                       \
        (void)result;                                                                       \
        millrace_end(&millrace__current);                                                   \
    }

#else /* Natively there is no host to call anything: the names are held to their types. */

#define MILLRACE__TRANSFORM(init, one, all)                                                 \
    extern millrace_init *const millrace__transform_init;                                   \
    extern millrace_transform *const millrace__transform;                                   \
    extern millrace_transform_batch *const millrace__transform_batch;                       \
    millrace_init *const millrace__transform_init = init;                                   \
    millrace_transform *const millrace__transform = one;                                    \
    millrace_transform_batch *const millrace__transform_batch = all

#define MILLRACE__CODEC(interface, function, which, init, one, all)                         \
    extern millrace_init *const millrace__##which##_init;                                   \
    extern millrace_convert *const millrace__##which;                                       \
    extern millrace_convert_batch *const millrace__##which##_batch;                         \
    millrace_init *const millrace__##which##_init = init;                                   \
    millrace_convert *const millrace__##which = one;                                        \
    millrace_convert_batch *const millrace__##which##_batch = all

#endif /* __wasm32__ */

#ifdef __cplusplus
}
#endif

#endif /* MILLRACE_H */

/* ================================================================================== */

#if defined(MILLRACE_IMPLEMENTATION) && !defined(MILLRACE_IMPLEMENTED)
#define MILLRACE_IMPLEMENTED

#include <stdio.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- Memory ----------------------------------------------------------------------- */

/*
 * A block of a call's memory; the newest is the first. In Wasm it is divided up from its
 * start. Natively each allocation is a block of its own, so that AddressSanitizer and
 * Valgrind see where one is left, and what is used after its end.
 */
typedef struct millrace__chunk {
    struct millrace__chunk *older;
    size_t size; /* behind this */
} millrace__chunk;

/* The least chunk, and the greatest that is kept for the next call. */
#define MILLRACE__LEAST ((size_t)64 * 1024)
#define MILLRACE__KEPT ((size_t)1024 * 1024)

static char *millrace__start(millrace__chunk *chunk)
{
    /* As malloc aligns, 16 at most. */
    return (char *)chunk + ((sizeof(millrace__chunk) + 15) & ~(size_t)15);
}

static millrace__chunk *millrace__chunk_of(millrace_call *call, size_t size)
{
    millrace__chunk *chunk = NULL;
    if (size <= SIZE_MAX / 2) {
        chunk = (millrace__chunk *)malloc(size + 16 + sizeof(millrace__chunk));
    }
    if (chunk == NULL) {
        abort();
    }
    chunk->older = call->chunks;
    chunk->size = size;
    call->chunks = chunk;
    call->next = millrace__start(chunk);
    call->end = call->next + size;
    return chunk;
}

/* `align` is a power of 2, 16 at most. */
static char *millrace__aligned(millrace_call *call, size_t size, size_t align)
{
#ifdef __wasm32__
    size_t gap = (size_t)(-(uintptr_t)call->next) & (align - 1);
    size_t room = (size_t)(call->end - call->next);
    if (call->next == NULL || size > room || gap > room - size) {
        size_t wanted = MILLRACE__LEAST;
        if (call->chunks != NULL && call->chunks->size < MILLRACE__KEPT) {
            wanted = call->chunks->size * 2;
        }
        millrace__chunk_of(call, size > wanted ? size : wanted);
        gap = 0;
    }
    char *memory = call->next + gap;
    call->next = memory + size;
    return memory;
#else
    (void)align;
    return millrace__start(millrace__chunk_of(call, size));
#endif
}

void *millrace_alloc(millrace_call *call, size_t size)
{
    return millrace__aligned(call, size, 16);
}

/* Text of `size` bytes, with its zero byte in place. */
static char *millrace__text(millrace_call *call, size_t size)
{
    char *text = millrace__aligned(call, size + 1, 1);
    text[size] = '\0';
    return text;
}

millrace_bytes millrace_copy(millrace_call *call, millrace_bytes bytes)
{
    if (bytes.data == NULL) {
        return bytes;
    }
    char *copy = millrace__text(call, bytes.size);
    memcpy(copy, bytes.data, bytes.size);
    return millrace_view(copy, bytes.size);
}

millrace_bytes millrace_join(millrace_call *call, const millrace_bytes *parts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += parts[i].size;
    }
    char *whole = millrace__text(call, size), *end = whole;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0) {
            memcpy(end, parts[i].data, parts[i].size);
            end += parts[i].size;
        }
    }
    return millrace_view(whole, size);
}

millrace_bytes millrace_vprintf(millrace_call *call, const char *format, va_list arguments)
{
    char most[256]; /* most texts: formatted once, not twice */
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(most, sizeof most, format, arguments);
    size_t size = length < 0 ? 0 : (size_t)length;
    char *text = millrace__text(call, size);
    if (size < sizeof most) {
        memcpy(text, most, size);
    } else {
        vsnprintf(text, size + 1, format, again);
    }
    va_end(again);
    return millrace_view(text, size);
}

millrace_bytes millrace_printf(millrace_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    millrace_bytes text = millrace_vprintf(call, format, arguments);
    va_end(arguments);
    return text;
}

void millrace_release(millrace_call *call, millrace_mark mark)
{
    while (call->chunks != mark.chunk) {
        millrace__chunk *chunk = call->chunks;
        call->chunks = chunk->older;
        free(chunk);
    }
    call->next = mark.next;
    call->end = NULL;
    if (call->chunks != NULL) {
        call->end = millrace__start(call->chunks) + call->chunks->size;
    }
}

void millrace_end(millrace_call *call)
{
#ifdef __wasm32__
    /* The newest chunk that is not too great is kept: the next call mostly fits in it. */
    millrace__chunk *kept = call->chunks;
    while (kept != NULL && kept->size > MILLRACE__KEPT) {
        kept = kept->older;
    }
    while (call->chunks != NULL) {
        millrace__chunk *chunk = call->chunks;
        call->chunks = chunk->older;
        if (chunk != kept) {
            free(chunk);
        }
    }
    call->next = call->end = NULL;
    if (kept != NULL) {
        kept->older = NULL;
        call->chunks = kept;
        call->next = millrace__start(kept);
        call->end = call->next + kept->size;
    }
#else
    millrace_mark nothing = {NULL, NULL};
    millrace_release(call, nothing);
#endif
}

/* --- UTF-8 ------------------------------------------------------------------------ */

size_t millrace_utf8_prefix(millrace_bytes bytes, size_t *bad)
{
    const unsigned char *data = (const unsigned char *)bytes.data;
    size_t size = bytes.size, at = 0;
    if (bad != NULL) {
        *bad = 0;
    }
    while (at < size) {
        if (size - at >= 8) {
            uint64_t eight;
            memcpy(&eight, data + at, 8);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += 8;
                continue;
            }
        }
        unsigned char lead = data[at];
        if (lead < 0x80) {
            at++;
            continue;
        }
        /* The length by the first byte, and what the second one may be by it. */
        size_t length = 0;
        unsigned char least = 0x80, most = 0xbf;
        if (lead >= 0xc2 && lead <= 0xdf) {
            length = 2;
        } else if (lead >= 0xe0 && lead <= 0xef) {
            length = 3;
            least = lead == 0xe0 ? 0xa0 : 0x80; /* no longer than it need be */
            most = lead == 0xed ? 0x9f : 0xbf;  /* no surrogates */
        } else if (lead >= 0xf0 && lead <= 0xf4) {
            length = 4;
            least = lead == 0xf0 ? 0x90 : 0x80;
            most = lead == 0xf4 ? 0x8f : 0xbf; /* no more than U+10FFFF */
        }
        size_t good = 1;
        while (good < length && at + good < size && data[at + good] >= least &&
               data[at + good] <= most) {
            good++;
            least = 0x80;
            most = 0xbf;
        }
        if (length == 0 || good < length) {
            if (bad != NULL && (length == 0 || at + good < size)) {
                *bad = good;
            }
            return at;
        }
        at += length;
    }
    return at;
}

/* The text itself where it is UTF-8, else one with U+FFFD where it is not. */
static millrace_bytes millrace__utf8(millrace_call *call, millrace_bytes text)
{
    if (millrace_is_utf8(text)) {
        return text;
    }
    char *clean = (char *)millrace_alloc(call, text.size * 3 + 1);
    size_t size = 0;
    while (text.size > 0) {
        size_t bad, good = millrace_utf8_prefix(text, &bad);
        memcpy(clean + size, text.data, good);
        size += good;
        text.data += good;
        text.size -= good;
        if (text.size > 0) {
            memcpy(clean + size, "\xef\xbf\xbd", 3);
            size += 3;
            bad = bad == 0 ? text.size : bad;
            text.data += bad;
            text.size -= bad;
        }
    }
    return millrace_view(clean, size);
}

/* --- Messages, outputs and verdicts ----------------------------------------------- */

millrace_bytes millrace_header_of(const millrace_message *message, const char *name)
{
    for (size_t i = message->header_count; i > 0; i--) {
        if (millrace_is(message->headers[i - 1].name, name)) {
            return message->headers[i - 1].value;
        }
    }
    return millrace_null();
}

void millrace_only_headers(millrace_call *call, millrace_output *output,
                           const millrace_header *headers, size_t count)
{
    millrace_header *list = (millrace_header *)millrace_alloc(call, count * sizeof *list);
    if (count > 0) {
        memcpy(list, headers, count * sizeof *list);
    }
    output->headers.kind = MILLRACE_ONLY;
    output->headers.list = list;
    output->headers.count = count;
}

void millrace_add_header(millrace_call *call, millrace_output *output, millrace_bytes name,
                         millrace_bytes value)
{
    millrace_output_headers *headers = &output->headers;
    size_t size = headers->count * sizeof *headers->list;
    if (headers->kind == MILLRACE_SOURCE) {
        headers->kind = MILLRACE_APPEND;
    }
    if (size > 0 && call->next == (char *)headers->list + size &&
        (size_t)(call->end - call->next) >= sizeof *headers->list) {
        call->next += sizeof *headers->list; /* the list is what was allocated last */
    } else {
        millrace_header *list =
            (millrace_header *)millrace_alloc(call, size + sizeof *list);
        if (size > 0) {
            memcpy(list, headers->list, size);
        }
        headers->list = list;
    }
    headers->list[headers->count].name = name;
    headers->list[headers->count].value = value;
    headers->count++;
}

millrace_verdict millrace_expand(millrace_call *call, const millrace_output *outputs,
                                 size_t count)
{
    millrace_verdict verdict = millrace__verdict(MILLRACE_EXPAND);
    millrace_output *list = (millrace_output *)millrace_alloc(call, count * sizeof *list);
    if (count > 0) {
        memcpy(list, outputs, count * sizeof *list);
    }
    verdict.as.expand.list = list;
    verdict.as.expand.count = count;
    return verdict;
}

millrace_verdict millrace_fail_text(millrace_call *call, millrace_bytes reason)
{
    millrace_verdict verdict = millrace__verdict(MILLRACE_FAIL);
    verdict.as.fail = millrace__utf8(call, reason);
    return verdict;
}

millrace_verdict millrace_fail(millrace_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    millrace_bytes reason = millrace_vprintf(call, format, arguments);
    va_end(arguments);
    return millrace_fail_text(call, reason);
}

millrace_result millrace_error_text(millrace_call *call, millrace_bytes reason)
{
    millrace_result result = {true, millrace__utf8(call, reason)};
    return result;
}

millrace_result millrace_error(millrace_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    millrace_bytes reason = millrace_vprintf(call, format, arguments);
    va_end(arguments);
    return millrace_error_text(call, reason);
}

/* Why no record can be this output, or NULL. In Wasm its headers are laid out anew. */
static const char *millrace__checked(millrace_call *call, millrace_output *output)
{
    if (output->topic.set && !millrace_is_utf8(output->topic.name)) {
        return "the topic that it should go to is not UTF-8";
    }
    if (output->headers.kind == MILLRACE_SOURCE) {
        return NULL;
    }
    for (size_t i = 0; i < output->headers.count; i++) {
        if (!millrace_is_utf8(output->headers.list[i].name)) {
            return "a header's name is not UTF-8";
        }
    }
#ifdef __wasm32__
    size_t count = output->headers.count;
    millrace__header *list =
        (millrace__header *)millrace_alloc(call, count * sizeof(millrace__header));
    for (size_t i = 0; i < count; i++) {
        const millrace_header *header = &output->headers.list[i];
        list[i].name = header->name;
        list[i].value.some = header->value.data != NULL;
        list[i].value.bytes = header->value;
    }
    output->headers.list = (millrace_header *)(void *)list;
#else
    (void)call;
#endif
    return NULL;
}

void millrace_check(millrace_call *call, millrace_verdict *verdicts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *wrong = NULL;
        millrace_verdict *verdict = &verdicts[i];
        if (verdict->kind == MILLRACE_REPLACE) {
            wrong = millrace__checked(call, &verdict->as.replace);
        } else if (verdict->kind == MILLRACE_EXPAND) {
#ifdef __wasm32__
            /* Laid out anew in place: another verdict may have the same list. */
            size_t size = verdict->as.expand.count * sizeof(millrace_output);
            millrace_output *own = (millrace_output *)millrace_alloc(call, size);
            if (size > 0) {
                memcpy(own, verdict->as.expand.list, size);
            }
            verdict->as.expand.list = own;
#endif
            for (size_t j = 0; j < verdict->as.expand.count && wrong == NULL; j++) {
                wrong = millrace__checked(call, &verdict->as.expand.list[j]);
            }
        }
        if (wrong != NULL) {
            verdict->kind = MILLRACE_FAIL;
            verdict->as.fail = millrace_text(wrong);
        }
    }
}

/* --- The log ---------------------------------------------------------------------- */

#ifdef __wasm32__
__attribute__((import_module("millrace:plugin/log@0.1.0"), import_name("log")))
void millrace__host_log(int32_t level, const char *text, size_t size);
#endif

void millrace_log_text(int level, millrace_bytes text)
{
#ifdef __wasm32__
    millrace_call *call = &millrace__current;
    millrace_mark mark = millrace_mark_now(call);
    text = millrace__utf8(call, text);
    millrace__host_log(level, text.data, text.size);
    millrace_release(call, mark);
#else
    static const char *const names[] = {"trace", "debug", "info", "warn", "error"};
    fprintf(stderr, "%s: %.*s\n", names[level], MILLRACE_ARG(text));
#endif
}

void millrace_log(int level, const char *format, ...)
{
#ifdef __wasm32__
    millrace_call *call = &millrace__current;
    millrace_mark mark = millrace_mark_now(call);
#else
    millrace_call own = millrace_begin(""), *call = &own;
    millrace_mark mark = millrace_mark_now(call);
#endif
    va_list arguments;
    va_start(arguments, format);
    millrace_log_text(level, millrace_vprintf(call, format, arguments));
    va_end(arguments);
    millrace_release(call, mark);
}

/* --- The contract's functions ----------------------------------------------------- */

#ifdef __wasm32__

/* An instance has one thread, and calls do not nest. */
millrace_call millrace__current;

/* Where the host puts what it hands to a call. */
__attribute__((export_name("cabi_export_realloc")))
void *millrace__realloc(void *old, size_t old_size, size_t align, size_t size);
void *millrace__realloc(void *old, size_t old_size, size_t align, size_t size)
{
    millrace_call *call = &millrace__current;
    char *memory = align == 1 ? millrace__text(call, size)
                              : millrace__aligned(call, size, align);
    if (old != NULL) {
        memcpy(memory, old, old_size < size ? old_size : size);
    }
    return memory;
}

/* What outlives a call: the memory of the WASI adapter, where there is one. */
__attribute__((export_name("cabi_realloc_adapter")))
void *millrace__realloc_adapter(void *old, size_t old_size, size_t align, size_t size);
void *millrace__realloc_adapter(void *old, size_t old_size, size_t align, size_t size)
{
    (void)old_size;
    (void)align; /* 16 at most, as malloc's */
    void *memory = realloc(old, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static millrace_bytes millrace__given(const millrace__optional *optional)
{
    return optional->some ? millrace_view(optional->bytes.data, optional->bytes.size)
                          : millrace_null();
}

/* Each is read as a whole before it is written: it shrinks. */
millrace_message *millrace__messages(void *memory, size_t count)
{
    millrace_message *messages = (millrace_message *)memory;
    for (size_t i = 0; i < count; i++) {
        millrace__message raw;
        memcpy(&raw, (char *)memory + i * sizeof raw, sizeof raw);
        millrace_header *headers = (millrace_header *)(void *)raw.headers;
        for (size_t j = 0; j < raw.header_count; j++) {
            millrace__header header;
            memcpy(&header, (char *)headers + j * sizeof header, sizeof header);
            headers[j].name = header.name;
            headers[j].value = millrace__given(&header.value);
        }
        millrace_message *message = &messages[i];
        message->key = millrace__given(&raw.key);
        message->value = millrace__given(&raw.value);
        message->headers = headers;
        message->header_count = raw.header_count;
        message->offset = raw.offset;
        message->timestamp.kind = raw.timestamp;
        message->timestamp.millis = raw.timestamp == MILLRACE_NOT_AVAILABLE ? 0 : raw.millis;
    }
    return messages;
}

const millrace_result *millrace__init(millrace_init *init, const char *config, size_t size)
{
    static millrace_result result;
    result = init == NULL ? millrace_ready()
                          : init(&millrace__current, millrace_view(config, size));
    return &result;
}

millrace_verdict *millrace__verdicts(size_t count)
{
    millrace_verdict *verdicts =
        (millrace_verdict *)millrace_alloc(&millrace__current, count * sizeof *verdicts);
    for (size_t i = 0; i < count; i++) {
        verdicts[i].kind = MILLRACE_FAIL;
        verdicts[i].as.fail = millrace_text("the plugin gave no verdict");
    }
    return verdicts;
}

const millrace__list *millrace__judged(millrace_verdict *verdicts, size_t count)
{
    static millrace__list list;
    millrace_check(&millrace__current, verdicts, count);
    list.data = verdicts;
    list.size = count;
    return &list;
}

millrace_result *millrace__results(size_t count)
{
    millrace_result *results =
        (millrace_result *)millrace_alloc(&millrace__current, count * sizeof *results);
    for (size_t i = 0; i < count; i++) {
        results[i].failed = true;
        results[i].bytes = millrace_text("the plugin gave no result");
    }
    return results;
}

const millrace__list *millrace__converted(millrace_result *results, size_t count)
{
    static millrace__list list;
    list.data = results;
    list.size = count;
    return &list;
}

#endif /* __wasm32__ */

#ifdef __cplusplus
}
#endif

#endif /* MILLRACE_IMPLEMENTATION */
