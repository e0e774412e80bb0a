/* The conformance suite's deserializer (tests/conformance/README.md). */
#include "../codec.h"

static millrace_result deserialize(millrace_call *call, millrace_bytes payload)
{
    return convert(call, payload, "", "");
}

MILLRACE_DESERIALIZER(init, deserialize);
