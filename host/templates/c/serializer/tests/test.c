/* The plugin's unit tests, natively: no host, no Wasm. */
#include "../src/plugin.c"

#include "millrace_test.h"

static millrace_result encode(millrace_call *call, const char *json)
{
    return serialize(call, millrace_text(json));
}

static void an_object_becomes_a_line(void)
{
    millrace_call call = millrace_begin("readings");
    millrace_result result =
        encode(&call, "{\"sensor\":\"a1\",\"celsius\":21.5,\"ok\":true}");
    MILLRACE_CHECK(!result.failed);
    MILLRACE_CHECK_TEXT(result.bytes, "sensor=a1 celsius=21.5 ok=true");
    MILLRACE_CHECK_TEXT(encode(&call, "{}").bytes, "");
    millrace_end(&call);
}

static void what_fits_into_no_line_fails_with_the_reason(void)
{
    millrace_call call = millrace_begin("readings");
    MILLRACE_CHECK(encode(&call, "{\"a\":[1]}").failed);
    MILLRACE_CHECK_TEXT(encode(&call, "{\"a\":[1]}").bytes, "a holds more than one value");
    MILLRACE_CHECK_TEXT(encode(&call, "{\"a\":\"b c\"}").bytes, "a has a space in it");
    MILLRACE_CHECK_TEXT(encode(&call, "21.5").bytes, "no object");
    MILLRACE_CHECK(strncmp(encode(&call, "hot").bytes.data, "not JSON: ", 10) == 0);
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
    MILLRACE_TEST(an_object_becomes_a_line);
    MILLRACE_TEST(what_fits_into_no_line_fails_with_the_reason);
    MILLRACE_TEST(a_configuration_refuses_the_plugin);
    return millrace_tested();
}
