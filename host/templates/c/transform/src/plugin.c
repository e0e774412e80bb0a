/*
 * Readings of sensors, as JSON: {"sensor":"a1","celsius":21.5} gets its `fahrenheit`.
 * The plugin's configuration is the least temperature that goes on (none: all do).
 */
#define MILLRACE_IMPLEMENTATION
#include "millrace.h"
#include "millrace_json.h"

#include <math.h>
#include <stdlib.h>

static double least;

/* Once, at the start. An error refuses the plugin. */
static millrace_result init(millrace_call *call, millrace_bytes config)
{
    char *end;
    least = config.size == 0 ? -HUGE_VAL : strtod(config.data, &end);
    if (config.size > 0 && (end != config.data + config.size || !isfinite(least))) {
        return millrace_error(call, "the configuration is no temperature: %.*s",
                              MILLRACE_ARG(config));
    }
    return millrace_ready();
}

/* For each record. A fail rejects this one alone, and says why. */
static millrace_verdict transform(millrace_call *call, const millrace_message *message)
{
    if (millrace_is_null(message->value)) {
        return millrace_fail(call, "the value is null");
    }
    yyjson_read_err error;
    yyjson_doc *json = millrace_json_read(call, message->value, &error);
    if (json == NULL) {
        return millrace_fail(call, "not JSON: %s at byte %zu", error.msg, error.pos);
    }
    yyjson_val *field = yyjson_obj_get(yyjson_doc_get_root(json), "celsius");
    if (!yyjson_is_num(field)) {
        return millrace_fail(call, "a reading has a number in celsius");
    }
    double celsius = yyjson_get_num(field);
    if (celsius < least) {
        return millrace_drop();
    }
    yyjson_mut_doc *reading = millrace_json_copy(call, json);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(reading);
    yyjson_mut_obj_put(root, yyjson_mut_str(reading, "fahrenheit"),
                       yyjson_mut_real(reading, celsius * 1.8 + 32));
    millrace_bytes value = millrace_json_write(call, reading);
    if (millrace_is_null(value)) {
        return millrace_fail(call, "celsius is too large");
    }
    return millrace_replace_value(value);
}

MILLRACE_TRANSFORM(init, transform);
