/* What the deserializer and the serializer make of a payload. */
#ifndef CODEC_H
#define CODEC_H

#include "common.h"

static millrace_result convert(millrace_call *call, millrace_bytes payload,
                               const char *before, const char *after)
{
    command it = command_of(payload);
    if (rejects(it) && !millrace_is_null(it.argument)) {
        if (!is_text(it.argument)) {
            return millrace_error(call, "bad argument");
        }
        return millrace_error_text(call, it.argument);
    }
    const millrace_bytes parts[] = {
        millrace_text(before),
        millrace_text(call->field == MILLRACE_KEY ? "key:" : "value:"),
        call->topic,
        millrace_text(":"),
        payload,
        millrace_text(after),
    };
    return millrace_ok(millrace_join(call, parts, sizeof parts / sizeof *parts));
}

#endif
