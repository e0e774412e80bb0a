/* The plugin's unit tests, natively: no host, no Wasm. */
#include "../src/plugin.c"

#include "millrace_test.h"

static millrace_result decode(millrace_call *call, const char *line)
{
    return deserialize(call, millrace_text(line));
}

static void a_line_becomes_an_object(void)
{
    millrace_call call = millrace_begin("readings");
    millrace_result result = decode(&call, "sensor=a1 celsius=21.5\n");
    MILLRACE_CHECK(!result.failed);
    MILLRACE_CHECK_TEXT(result.bytes, "{\"sensor\":\"a1\",\"celsius\":\"21.5\"}");
    MILLRACE_CHECK_TEXT(decode(&call, "").bytes, "{}");
    MILLRACE_CHECK_TEXT(decode(&call, "a=b=\"c\"").bytes, "{\"a\":\"b=\\\"c\\\"\"}");
    millrace_end(&call);
}

static void what_is_no_pair_fails_with_the_reason(void)
{
    millrace_call call = millrace_begin("readings");
    millrace_result result = decode(&call, "sensor=a1 hot");
    MILLRACE_CHECK(result.failed);
    MILLRACE_CHECK_TEXT(result.bytes, "there is no = in \"hot\"");
    MILLRACE_CHECK_TEXT(decode(&call, "a=\xff").bytes, "not UTF-8");
    millrace_end(&call);
}

static void a_configuration_refuses_the_plugin(void)
{
    millrace_call call = millrace_begin("");
    MILLRACE_CHECK(init(&call, millrace_text("upper")).failed);
    MILLRACE_CHECK(!init(&call, millrace_text("")).failed);
    millrace_end(&call);
}

int main(void)
{
    MILLRACE_TEST(a_line_becomes_an_object);
    MILLRACE_TEST(what_is_no_pair_fails_with_the_reason);
    MILLRACE_TEST(a_configuration_refuses_the_plugin);
    return millrace_tested();
}
