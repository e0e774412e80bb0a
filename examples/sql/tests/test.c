/* The plugin's unit tests, natively: no host, no Wasm. */
#include "../src/plugin.c"

#include "millrace_test.h"

static millrace_verdict run(millrace_call *call, const char *sql, millrace_bytes value)
{
    static millrace_header headers[1];
    headers[0].name = millrace_text("trace");
    headers[0].value = millrace_text("t1");
    millrace_result ready = init(call, millrace_text(sql));
    MILLRACE_CHECK(!ready.failed);
    if (ready.failed) {
        return millrace_fail_text(call, ready.bytes);
    }
    millrace_message message = millrace_message_of(value);
    message.key = millrace_text("k");
    message.headers = headers;
    message.header_count = 1;
    message.offset = INT64_MAX;
    return transform(call, &message);
}

static void a_row_is_a_record_and_none_drops_it(void)
{
    millrace_call call = millrace_begin("orders");
    const char *sql = "SELECT value ->> 'a' AS value FROM record WHERE value ->> 'a' > 1";
    millrace_verdict verdict = run(&call, sql, millrace_text("{\"a\":2}"));
    MILLRACE_CHECK(verdict.kind == MILLRACE_REPLACE);
    MILLRACE_CHECK_TEXT(verdict.as.replace.value.bytes, "2");
    MILLRACE_CHECK(verdict.as.replace.key.kind == MILLRACE_SOURCE);
    MILLRACE_CHECK(run(&call, sql, millrace_text("{\"a\":1}")).kind == MILLRACE_DROP);
    MILLRACE_CHECK(run(&call, sql, millrace_null()).kind == MILLRACE_DROP);
    millrace_end(&call);
}

static void several_rows_are_several_records(void)
{
    millrace_call call = millrace_begin("orders");
    millrace_verdict verdict =
        run(&call, "SELECT each.value AS value FROM record, json_each(record.value) AS each",
            millrace_text("[1,\"b\",null]"));
    MILLRACE_CHECK(verdict.kind == MILLRACE_EXPAND && verdict.as.expand.count == 3);
    MILLRACE_CHECK_TEXT(verdict.as.expand.list[1].value.bytes, "b");
    MILLRACE_CHECK(verdict.as.expand.list[2].value.kind == MILLRACE_NULL);
    millrace_end(&call);
}

static void every_part_can_be_read_and_set(void)
{
    millrace_call call = millrace_begin("orders");
    millrace_verdict verdict = run(
        &call,
        "SELECT topic || '-2' AS topic, partition + 3 AS partition, \"offset\" AS timestamp,"
        " NULL AS key, header('trace') AS \"header seen\", header('none') AS \"header none\""
        " FROM record",
        millrace_view("\xff\0", 2));
    MILLRACE_CHECK(verdict.kind == MILLRACE_REPLACE);
    millrace_output *output = &verdict.as.replace;
    MILLRACE_CHECK_TEXT(output->topic.name, "orders-2");
    MILLRACE_CHECK(output->partition.number == 3);
    MILLRACE_CHECK(output->timestamp.millis == INT64_MAX);
    MILLRACE_CHECK(output->key.kind == MILLRACE_NULL);
    MILLRACE_CHECK(output->value.kind == MILLRACE_SOURCE);
    MILLRACE_CHECK(output->headers.kind == MILLRACE_APPEND && output->headers.count == 2);
    MILLRACE_CHECK_TEXT(output->headers.list[0].value, "t1");
    MILLRACE_CHECK(millrace_is_null(output->headers.list[1].value));
    verdict = run(&call, "SELECT value AS value FROM record", millrace_view("\xff\0", 2));
    MILLRACE_CHECK(millrace_equal(verdict.as.replace.value.bytes, millrace_view("\xff\0", 2)));
    millrace_end(&call);
}

static void a_bad_record_fails_alone(void)
{
    millrace_call call = millrace_begin("orders");
    const char *sql = "SELECT value ->> 'a' AS value FROM record";
    millrace_verdict verdict = run(&call, sql, millrace_text("{oops"));
    MILLRACE_CHECK(verdict.kind == MILLRACE_FAIL);
    MILLRACE_CHECK_TEXT(verdict.as.fail, "malformed JSON");
    MILLRACE_CHECK(run(&call, sql, millrace_text("{}")).kind == MILLRACE_REPLACE);
    verdict = run(&call, "SELECT value AS partition FROM record", millrace_text("x"));
    MILLRACE_CHECK_TEXT(verdict.as.fail, "partition is no whole number that fits");
    millrace_end(&call);
}

static void what_is_no_single_select_refuses_the_plugin(void)
{
    static const char *const reasons[][2] = {
        {"", "the configuration is a SELECT, and there is none"},
        {"SELEC 1", "near \"SELEC\": syntax error"},
        {"SELECT 1 AS value; SELECT 2", "there is more behind the first statement:  SELECT 2"},
        {"SELECT 1 AS value; /* and */; SELEC", "there is more behind the first statement:  /* and */; SELEC"},
        {"CREATE TABLE t(x)", "the configuration is a SELECT, and nothing else"},
        {"SELECT 1 AS price", "no part of a record is called price: AS key, value, topic, "
                              "partition, timestamp or \"header NAME\""},
    };
    millrace_call call = millrace_begin("");
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        millrace_result result = init(&call, millrace_text(reasons[i][0]));
        MILLRACE_CHECK(result.failed);
        MILLRACE_CHECK_TEXT(result.bytes, reasons[i][1]);
    }
    millrace_end(&call);
}

static void a_comment_may_stand_behind_the_select(void)
{
    static const char *const configs[] = {
        "SELECT 1 AS value",
        "SELECT 1 AS value ;\n",
        "-- one\nSELECT 1 AS value -- two",
        "SELECT 1 AS value; -- one\n;/* two */ ; \n",
        "SELECT 1 AS value; /* it has no end",
    };
    millrace_call call = millrace_begin("");
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        MILLRACE_CHECK(!init(&call, millrace_text(configs[i])).failed);
    }
    millrace_end(&call);
}

int main(void)
{
    MILLRACE_TEST(a_row_is_a_record_and_none_drops_it);
    MILLRACE_TEST(several_rows_are_several_records);
    MILLRACE_TEST(every_part_can_be_read_and_set);
    MILLRACE_TEST(a_bad_record_fails_alone);
    MILLRACE_TEST(what_is_no_single_select_refuses_the_plugin);
    MILLRACE_TEST(a_comment_may_stand_behind_the_select);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return millrace_tested();
}
