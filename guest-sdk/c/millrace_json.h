/*
 * millrace_json.h: JSON by yyjson, in a call's memory: nothing of it is freed by hand.
 *
 * yyjson/ holds yyjson 0.10.0 as it was published (https://github.com/ibireme/yyjson, MIT):
 * compile yyjson/yyjson.c along. Its functions work on what these return.
 */
#ifndef MILLRACE_JSON_H
#define MILLRACE_JSON_H

#include "millrace.h"
#include "yyjson/yyjson.h"

static inline void *millrace__json_malloc(void *call, size_t size)
{
    return millrace_alloc((millrace_call *)call, size);
}

static inline void *millrace__json_realloc(void *call, void *old, size_t old_size, size_t size)
{
    void *memory = millrace_alloc((millrace_call *)call, size);
    memcpy(memory, old, old_size < size ? old_size : size);
    return memory;
}

static inline void millrace__json_free(void *call, void *memory)
{
    (void)call;
    (void)memory;
}

/* For yyjson's functions that take an allocator. */
static inline yyjson_alc millrace_json_memory(millrace_call *call)
{
    yyjson_alc memory;
    memory.malloc = millrace__json_malloc;
    memory.realloc = millrace__json_realloc;
    memory.free = millrace__json_free;
    memory.ctx = call;
    return memory;
}

/* Reads JSON (RFC 8259), or returns NULL and says why not in `error`. */
static inline yyjson_doc *millrace_json_read(millrace_call *call, millrace_bytes json,
                                             yyjson_read_err *error)
{
    yyjson_alc memory = millrace_json_memory(call);
    /* It is not written to: YYJSON_READ_INSITU is not set. */
    return yyjson_read_opts((char *)(uintptr_t)json.data, json.size, YYJSON_READ_NOFLAG,
                            &memory, error);
}

/* An empty document to be written, without a root. */
static inline yyjson_mut_doc *millrace_json_new(millrace_call *call)
{
    yyjson_alc memory = millrace_json_memory(call);
    return yyjson_mut_doc_new(&memory);
}

/* What was read, to be changed. */
static inline yyjson_mut_doc *millrace_json_copy(millrace_call *call, yyjson_doc *json)
{
    yyjson_alc memory = millrace_json_memory(call);
    return yyjson_doc_mut_copy(json, &memory);
}

/* The text; null where there is none to write: a string that is not UTF-8, an infinity. */
static inline millrace_bytes millrace_json_write(millrace_call *call, const yyjson_mut_doc *json)
{
    yyjson_alc memory = millrace_json_memory(call);
    millrace_bytes text = millrace_null();
    text.data = yyjson_mut_write_opts(json, YYJSON_WRITE_NOFLAG, &memory, &text.size, NULL);
    return text;
}

/* A string's text, or any other value's as JSON. */
static inline millrace_bytes millrace_json_text(millrace_call *call, const yyjson_val *value)
{
    yyjson_alc memory = millrace_json_memory(call);
    millrace_bytes text = millrace_null();
    yyjson_val *it = (yyjson_val *)(uintptr_t)value;
    if (yyjson_is_str(it)) {
        return millrace_view(yyjson_get_str(it), yyjson_get_len(it));
    }
    text.data = yyjson_val_write_opts(it, YYJSON_WRITE_NOFLAG, &memory, &text.size, NULL);
    return text;
}

#endif /* MILLRACE_JSON_H */
