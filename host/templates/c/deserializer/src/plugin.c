/*
 * Lines like `sensor=a1 celsius=21.5` to the JSON that a transform reads:
 * {"sensor":"a1","celsius":"21.5"}.
 */
#define MILLRACE_IMPLEMENTATION
#include "millrace.h"
#include "millrace_json.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
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
static millrace_result deserialize(millrace_call *call, millrace_bytes payload)
{
    if (!millrace_is_utf8(payload)) {
        return millrace_error(call, "not UTF-8");
    }
    yyjson_mut_doc *json = millrace_json_new(call);
    yyjson_mut_val *fields = yyjson_mut_obj(json);
    yyjson_mut_doc_set_root(json, fields);
    const char *at = payload.data, *end = at + payload.size;
    while (true) {
        while (at < end && is_space(*at)) {
            at++;
        }
        if (at == end) {
            return millrace_ok(millrace_json_write(call, json));
        }
        const char *name = at, *equals = NULL;
        for (; at < end && !is_space(*at); at++) {
            if (*at == '=' && equals == NULL) {
                equals = at;
            }
        }
        if (equals == NULL) {
            return millrace_error(call, "there is no = in \"%.*s\"", (int)(at - name), name);
        }
        /* One that comes again takes the place of the one before. */
        yyjson_mut_obj_put(fields, yyjson_mut_strn(json, name, (size_t)(equals - name)),
                           yyjson_mut_strn(json, equals + 1, (size_t)(at - equals - 1)));
    }
}

MILLRACE_DESERIALIZER(init, deserialize);
