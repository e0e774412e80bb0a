/* What an order is, what becomes of it, and what a bad one is told. */
#include "../src/plugin.c"

#include "millrace_test.h"

#define ORDER(amount, status, more) \
    "{\"id\":1,\"customer\":\"c00042\",\"amount\":" amount ",\"currency\":\"EUR\"," \
    "\"status\":" status more "}"

static millrace_verdict judge(millrace_call *call, const char *value)
{
    millrace_message message = millrace_message_of(millrace_text(value));
    return transform(call, &message);
}

static void cleans(const char *value, const char *cleaned)
{
    millrace_call call = millrace_begin("orders");
    millrace_verdict verdict = judge(&call, value);
    MILLRACE_CHECK(verdict.kind == MILLRACE_REPLACE);
    if (verdict.kind == MILLRACE_REPLACE) {
        MILLRACE_CHECK_TEXT(verdict.as.replace.value.bytes, cleaned);
        MILLRACE_CHECK(verdict.as.replace.key.kind == MILLRACE_SOURCE);
        MILLRACE_CHECK(verdict.as.replace.headers.kind == MILLRACE_SOURCE);
    }
    millrace_end(&call);
}

static void drops(const char *value)
{
    millrace_call call = millrace_begin("orders");
    MILLRACE_CHECK(judge(&call, value).kind == MILLRACE_DROP);
    millrace_end(&call);
}

static void fails(const char *value, const char *reason)
{
    millrace_call call = millrace_begin("orders");
    millrace_verdict verdict = judge(&call, value);
    MILLRACE_CHECK(verdict.kind == MILLRACE_FAIL);
    if (verdict.kind == MILLRACE_FAIL) {
        MILLRACE_CHECK_TEXT(verdict.as.fail, reason);
    }
    millrace_end(&call);
}

static void a_paid_order_gets_its_cents_and_keeps_the_rest_as_it_was(void)
{
    cleans(ORDER("12.50", "\"paid\"", ",\"note\":\"\xe2\x80\xa6\""),
           ORDER("12.50", "\"paid\"", ",\"note\":\"\xe2\x80\xa6\",\"total_cents\":1250"));
    cleans("{ \"status\": \"new\", \"tags\": [1, {\"a\": null}], \"amount\": 3,\n \"id\": 7, "
           "\"customer\": \"\\u0063\", \"currency\": \"EUR\" }\n",
           "{ \"status\": \"new\", \"tags\": [1, {\"a\": null}], \"amount\": 3,\n \"id\": 7, "
           "\"customer\": \"\\u0063\", \"currency\": \"EUR\" ,\"total_cents\":300}");
}

static void a_void_order_is_dropped_however_its_status_is_written(void)
{
    drops(ORDER("1", "\"void\"", ""));
    drops(ORDER("1", "\"\\u0076oid\"", ""));
    drops(ORDER("1e300", "\"void\"", ""));
    cleans(ORDER("1", "\"VOID\"", ""), ORDER("1", "\"VOID\"", ",\"total_cents\":100"));
}

#define CENTS(amount, cents) \
    cleans(ORDER(amount, "\"paid\"", ""), ORDER(amount, "\"paid\"", ",\"total_cents\":" cents))

static void cents_are_rounded_half_away_from_zero_from_the_double(void)
{
    CENTS("0", "0");
    CENTS("-0.0", "0");
    CENTS("0.29", "29");
    CENTS("0.125", "13");
    CENTS("-0.125", "-13");
    CENTS("1.005", "100");
    CENTS("1e3", "100000");
    CENTS("90071992547409.92", "9007199254740992");
    CENTS("-90071992547409.92", "-9007199254740992");
}

static void an_amount_that_has_no_exact_cents_fails(void)
{
    fails(ORDER("1e300", "\"paid\"", ""), "not an order: amount 1e300 is too large");
    fails(ORDER("-1.5e17", "\"paid\"", ""), "not an order: amount -1.5e17 is too large");
    fails(ORDER("123456789012345678901234567890", "\"paid\"", ""),
          "not an order: amount 1.2345678901234568e29 is too large");
    fails(ORDER("1e400", "\"paid\"", ""), "not JSON: number out of range at line 1 column 42");
}

static void what_is_no_json_fails_and_says_where(void)
{
    fails("", "not JSON: EOF while parsing a value at line 1 column 0");
    fails("{oops}", "not JSON: unexpected character, expected a string for object key "
                    "at line 1 column 2");
    fails("{}\n}", "not JSON: unexpected content after document at line 2 column 1");
    fails("{\"id\":\"\xff\"}", "not UTF-8: invalid utf-8 sequence of 1 bytes from index 7");
    fails("{\"id\":\"\xe2\x82", "not UTF-8: incomplete utf-8 byte sequence from index 7");
}

static void half_a_surrogate_pair_fails_only_where_it_is_read(void)
{
    cleans(ORDER("1", "\"\\\\ud800\"", ",\"note\":[\"\\ud800\",\"\\udc00\\ud83c\\udf89\"]"),
           ORDER("1", "\"\\\\ud800\"", ",\"note\":[\"\\ud800\",\"\\udc00\\ud83c\\udf89\"]"
                                       ",\"total_cents\":100"));
    fails(ORDER("1", "\"\\ud800\"", ""),
          "not JSON: half a surrogate pair in the string at line 1 column 67");
    fails("{\"\\ud800\":1}", "not JSON: half a surrogate pair in the string at line 1 column 3");
    fails("\"\\udc00\"", "not JSON: half a surrogate pair in the string at line 1 column 2");
    fails("{\"a\":\"\\ud800\x01\"}", "not JSON: no low surrogate in string at line 1 column 13");
}

static void what_is_no_order_fails_and_names_the_field(void)
{
    fails("42", "not an order: invalid type: integer `42`, expected struct Order");
    fails("1e21", "not an order: invalid type: floating point `1e+21`, expected struct Order");
    fails("[1,\"c00042\",12.50,\"EUR\",\"paid\",{}]",
          "not an order: `total_cents` is already there");
    fails("[1,\"c00042\",12.50,\"EUR\",\"paid\"]", "not an order: an array");
    fails("[1]", "not an order: invalid length 1, expected struct Order with 6 elements");
    fails("{}", "not an order: missing field `id`");
    fails(ORDER("\"12.50\"", "\"paid\"", ""),
          "not an order: invalid type: string \"12.50\", expected f64");
    fails(ORDER("\"a\\\"b\\n\\u0001\"", "\"paid\"", ""),
          "not an order: invalid type: string \"a\\\"b\\n\\u{1}\", expected f64");
    fails(ORDER("null", "\"paid\"", ""), "not an order: invalid type: null, expected f64");
    fails(ORDER("1", "7", ""), "not an order: invalid type: integer `7`, expected a string");
    fails("{\"id\":-1}", "not an order: invalid value: integer `-1`, expected u64");
    fails("{\"id\":1.0}", "not an order: invalid type: floating point `1.0`, expected u64");
    fails("{\"id\":-0}", "not an order: invalid type: floating point `-0.0`, expected u64");
}

static void an_order_that_was_cleaned_before_fails_even_with_null_cents(void)
{
    fails(ORDER("1", "\"paid\"", ",\"total_cents\":100"),
          "not an order: `total_cents` is already there");
    fails(ORDER("1", "\"paid\"", ",\"total_cents\":null"),
          "not an order: `total_cents` is already there");
}

static void a_field_given_twice_fails(void)
{
    fails(ORDER("1", "\"paid\"", ",\"amount\":1"), "not an order: duplicate field `amount`");
    fails(ORDER("1", "\"paid\"", ",\"amo\\u0075nt\":1"),
          "not an order: duplicate field `amount`");
}

static void a_null_value_fails(void)
{
    millrace_call call = millrace_begin("orders");
    millrace_message tombstone = millrace_message_of(millrace_null());
    MILLRACE_CHECK_TEXT(transform(&call, &tombstone).as.fail, "the value is null");
    millrace_end(&call);
}

int main(void)
{
    MILLRACE_TEST(a_paid_order_gets_its_cents_and_keeps_the_rest_as_it_was);
    MILLRACE_TEST(a_void_order_is_dropped_however_its_status_is_written);
    MILLRACE_TEST(cents_are_rounded_half_away_from_zero_from_the_double);
    MILLRACE_TEST(an_amount_that_has_no_exact_cents_fails);
    MILLRACE_TEST(what_is_no_json_fails_and_says_where);
    MILLRACE_TEST(half_a_surrogate_pair_fails_only_where_it_is_read);
    MILLRACE_TEST(what_is_no_order_fails_and_names_the_field);
    MILLRACE_TEST(an_order_that_was_cleaned_before_fails_even_with_null_cents);
    MILLRACE_TEST(a_field_given_twice_fails);
    MILLRACE_TEST(a_null_value_fails);
    return millrace_tested();
}
