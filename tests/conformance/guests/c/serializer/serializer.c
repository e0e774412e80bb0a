/* The conformance suite's serializer (tests/conformance/README.md). */
#include "../codec.h"

static millrace_result serialize(millrace_call *call, millrace_bytes payload)
{
    return convert(call, payload, "[", "]");
}

MILLRACE_SERIALIZER(init, serialize);
