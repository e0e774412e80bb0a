/*
 * The JSON that a transform wrote, {"sensor":"a1","celsius":21.5}, to lines like
 * `sensor=a1 celsius=21.5`.
 */
#define MILLRACE_IMPLEMENTATION
#include "millrace.h"
#include "millrace_json.h"

static bool has_space(millrace_bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == ' ' || (text.data[i] >= '\t' && text.data[i] <= '\r')) {
            return true;
        }
    }
    return false;
}

/* Once, at the start. An error refuses the plugin. */
static millrace_result init(millrace_call *call, millrace_bytes config)
{
    if (config.size > 0) {
        return millrace_error(call, "there is nothing to configure, and this was given: %.*s",
                              MILLRACE_ARG(config));
    }
    return millrace_ready();
}

/* For each payload. An error rejects its record alone, and says why. */
static millrace_result serialize(millrace_call *call, millrace_bytes payload)
{
    yyjson_read_err error;
    yyjson_doc *json = millrace_json_read(call, payload, &error);
    if (json == NULL) {
        return millrace_error(call, "not JSON: %s at byte %zu", error.msg, error.pos);
    }
    yyjson_val *fields = yyjson_doc_get_root(json);
    if (!yyjson_is_obj(fields)) {
        return millrace_error(call, "no object");
    }
    /* For each field: a space, its name, an equals sign, its value. */
    millrace_bytes *parts =
        (millrace_bytes *)millrace_alloc(call, 4 * yyjson_obj_size(fields) * sizeof *parts);
    size_t count = 0, index, most;
    yyjson_val *key, *value;
    yyjson_obj_foreach(fields, index, most, key, value) {
        millrace_bytes name = millrace_json_text(call, key);
        millrace_bytes text = millrace_json_text(call, value);
        if (yyjson_is_ctn(value)) {
            return millrace_error(call, "%.*s holds more than one value", MILLRACE_ARG(name));
        }
        if (has_space(name) || has_space(text)) {
            return millrace_error(call, "%.*s has a space in it", MILLRACE_ARG(name));
        }
        parts[count++] = millrace_text(index == 0 ? "" : " ");
        parts[count++] = name;
        parts[count++] = millrace_text("=");
        parts[count++] = text;
    }
    return millrace_ok(millrace_join(call, parts, count));
}

MILLRACE_SERIALIZER(init, serialize);
