/* The plugin's unit tests, natively: no host, no Wasm. */
#include "../src/plugin.c"

#include "millrace_test.h"

/* What becomes of a record with this value. */
static millrace_verdict judge(millrace_call *call, const char *config, const char *value)
{
    MILLRACE_CHECK(!init(call, millrace_text(config)).failed);
    millrace_message message = millrace_message_of(millrace_text(value));
    return transform(call, &message);
}

static void a_reading_gets_its_fahrenheit(void)
{
    millrace_call call = millrace_begin("readings");
    millrace_verdict verdict = judge(&call, "", "{\"sensor\":\"a1\",\"celsius\":20}");
    MILLRACE_CHECK(verdict.kind == MILLRACE_REPLACE);
    MILLRACE_CHECK_TEXT(verdict.as.replace.value.bytes,
                        "{\"sensor\":\"a1\",\"celsius\":20,\"fahrenheit\":68.0}");
    millrace_end(&call);
}

static void a_reading_below_the_least_temperature_is_dropped(void)
{
    millrace_call call = millrace_begin("readings");
    MILLRACE_CHECK(judge(&call, "5", "{\"celsius\":4.9}").kind == MILLRACE_DROP);
    MILLRACE_CHECK(judge(&call, "5", "{\"celsius\":5}").kind == MILLRACE_REPLACE);
    millrace_end(&call);
}

static void what_is_no_reading_fails_with_the_reason(void)
{
    millrace_call call = millrace_begin("readings");
    millrace_verdict verdict = judge(&call, "", "{\"celsius\":\"hot\"}");
    MILLRACE_CHECK(verdict.kind == MILLRACE_FAIL);
    MILLRACE_CHECK_TEXT(verdict.as.fail, "a reading has a number in celsius");
    verdict = judge(&call, "", "hot");
    MILLRACE_CHECK(verdict.kind == MILLRACE_FAIL);
    MILLRACE_CHECK(strncmp(verdict.as.fail.data, "not JSON: ", 10) == 0);
    millrace_message tombstone = millrace_message_of(millrace_null());
    MILLRACE_CHECK_TEXT(transform(&call, &tombstone).as.fail, "the value is null");
    millrace_end(&call);
}

static void a_configuration_that_is_no_temperature_refuses_the_plugin(void)
{
    millrace_call call = millrace_begin("");
    MILLRACE_CHECK_TEXT(init(&call, millrace_text("warm")).bytes,
                        "the configuration is no temperature: warm");
    static const char *const others[] = {"5 or so", "nan", "inf", "1e999"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        MILLRACE_CHECK(init(&call, millrace_text(others[i])).failed);
    }
    millrace_end(&call);
}

int main(void)
{
    MILLRACE_TEST(a_reading_gets_its_fahrenheit);
    MILLRACE_TEST(a_reading_below_the_least_temperature_is_dropped);
    MILLRACE_TEST(what_is_no_reading_fails_with_the_reason);
    MILLRACE_TEST(a_configuration_that_is_no_temperature_refuses_the_plugin);
    return millrace_tested();
}
