/* The SDK's own tests, natively: `make -C guest-sdk/c test`. */
#define MILLRACE_IMPLEMENTATION
#include "../millrace.h"
#include "../millrace_test.h"

static void null_is_not_empty(void)
{
    MILLRACE_CHECK(millrace_is_null(millrace_null()));
    MILLRACE_CHECK(!millrace_is_null(millrace_text("")));
    MILLRACE_CHECK(!millrace_is_null(millrace_view(NULL, 0)));
    MILLRACE_CHECK(!millrace_equal(millrace_null(), millrace_text("")));
    MILLRACE_CHECK(millrace_equal(millrace_null(), millrace_null()));
    MILLRACE_CHECK(millrace_payload_of(millrace_null()).kind == MILLRACE_NULL);
    MILLRACE_CHECK(millrace_payload_of(millrace_text("")).kind == MILLRACE_BYTES);
}

static void bytes_may_have_zeros_in_them(void)
{
    MILLRACE_CHECK(millrace_equal(millrace_view("a\0b", 3), millrace_view("a\0b", 3)));
    MILLRACE_CHECK(!millrace_equal(millrace_view("a\0b", 3), millrace_view("a\0c", 3)));
    MILLRACE_CHECK(!millrace_is(millrace_view("a\0b", 3), "a"));
}

static void what_is_not_set_is_the_sources(void)
{
    millrace_output output = millrace_source();
    MILLRACE_CHECK(!output.topic.set && !output.partition.set && !output.timestamp.set);
    MILLRACE_CHECK(output.key.kind == MILLRACE_SOURCE);
    MILLRACE_CHECK(output.value.kind == MILLRACE_SOURCE);
    MILLRACE_CHECK(output.headers.kind == MILLRACE_SOURCE);
    millrace_set_topic(&output, millrace_text("t"));
    millrace_set_partition(&output, 2);
    millrace_set_timestamp(&output, INT64_MIN);
    millrace_set_key(&output, millrace_null());
    MILLRACE_CHECK_TEXT(output.topic.name, "t");
    MILLRACE_CHECK(output.partition.number == 2);
    MILLRACE_CHECK(output.timestamp.millis == INT64_MIN);
    MILLRACE_CHECK(output.key.kind == MILLRACE_NULL);
    MILLRACE_CHECK(output.value.kind == MILLRACE_SOURCE);
}

static void a_header_is_added_to_the_sources_unless_those_are_left_out(void)
{
    millrace_call call = millrace_begin("t");
    millrace_output added = millrace_source();
    for (int i = 0; i < 20; i++) {
        millrace_add_header(&call, &added, millrace_printf(&call, "h%d", i),
                            i == 3 ? millrace_null() : millrace_text(""));
    }
    MILLRACE_CHECK(added.headers.kind == MILLRACE_APPEND && added.headers.count == 20);
    MILLRACE_CHECK_TEXT(added.headers.list[19].name, "h19");
    MILLRACE_CHECK(millrace_is_null(added.headers.list[3].value));
    MILLRACE_CHECK_TEXT(added.headers.list[4].value, "");

    const millrace_header own[] = {{millrace_text("a"), millrace_text("1")}};
    millrace_output only = millrace_source();
    millrace_only_headers(&call, &only, own, 1);
    millrace_add_header(&call, &only, millrace_text("b"), millrace_text("2"));
    MILLRACE_CHECK(only.headers.kind == MILLRACE_ONLY && only.headers.count == 2);
    MILLRACE_CHECK_TEXT(only.headers.list[0].name, "a");
    MILLRACE_CHECK_TEXT(only.headers.list[1].name, "b");

    millrace_only_headers(&call, &only, NULL, 0);
    MILLRACE_CHECK(only.headers.kind == MILLRACE_ONLY && only.headers.count == 0);
    millrace_end(&call);
}

static void the_last_header_of_a_name_wins(void)
{
    const millrace_header headers[] = {{millrace_text("trace"), millrace_text("1")},
                                       {millrace_text("trace"), millrace_text("2")},
                                       {millrace_text("none"), millrace_null()}};
    millrace_message message = millrace_message_of(millrace_null());
    message.headers = headers;
    message.header_count = 3;
    MILLRACE_CHECK_TEXT(millrace_header_of(&message, "trace"), "2");
    MILLRACE_CHECK(millrace_is_null(millrace_header_of(&message, "Trace")));
    MILLRACE_CHECK(millrace_is_null(millrace_header_of(&message, "none")));
}

static void expand_copies_its_outputs(void)
{
    millrace_call call = millrace_begin("t");
    millrace_output outputs[2] = {millrace_source(), millrace_source()};
    millrace_set_value(&outputs[1], millrace_text("v"));
    millrace_verdict verdict = millrace_expand(&call, outputs, 2);
    outputs[1] = millrace_source();
    MILLRACE_CHECK(verdict.kind == MILLRACE_EXPAND && verdict.as.expand.count == 2);
    MILLRACE_CHECK_TEXT(verdict.as.expand.list[1].value.bytes, "v");
    MILLRACE_CHECK(millrace_expand(&call, NULL, 0).as.expand.count == 0);
    millrace_end(&call);
}

static void text_of_any_length_is_printed(void)
{
    millrace_call call = millrace_begin("t");
    MILLRACE_CHECK_TEXT(millrace_printf(&call, "%d of %s", 3, "x"), "3 of x");
    MILLRACE_CHECK_TEXT(millrace_printf(&call, "%s", ""), "");
    for (int width = 250; width < 260; width++) {
        millrace_bytes wide = millrace_printf(&call, "%*d", width, 7);
        MILLRACE_CHECK(wide.size == (size_t)width && wide.data[width - 1] == '7');
        MILLRACE_CHECK(wide.data[wide.size] == '\0');
    }
    millrace_end(&call);
}

static void parts_are_joined_with_their_zeros(void)
{
    millrace_call call = millrace_begin("t");
    const millrace_bytes parts[] = {millrace_text("a"), millrace_null(), millrace_view("\0", 1),
                                    millrace_text("b")};
    millrace_bytes whole = millrace_join(&call, parts, 4);
    MILLRACE_CHECK(millrace_equal(whole, millrace_view("a\0b", 3)));
    MILLRACE_CHECK(millrace_equal(millrace_fail_text(&call, whole).as.fail, whole));
    MILLRACE_CHECK(!millrace_is_null(millrace_join(&call, NULL, 0)));
    millrace_end(&call);
}

static void memory_is_aligned_and_released(void)
{
    millrace_call call = millrace_begin("t");
    millrace_bytes kept = millrace_copy(&call, millrace_text("kept"));
    millrace_mark mark = millrace_mark_now(&call);
    for (size_t size = 0; size < 100000; size = size * 2 + 1) {
        char *memory = (char *)millrace_alloc(&call, size);
        MILLRACE_CHECK((uintptr_t)memory % 16 == 0);
        memset(memory, 'x', size);
    }
    millrace_release(&call, mark);
    MILLRACE_CHECK_TEXT(kept, "kept");
    MILLRACE_CHECK(millrace_is_null(millrace_copy(&call, millrace_null())));
    millrace_end(&call);
    MILLRACE_CHECK(call.chunks == NULL);
}

static void utf8_is_told_from_what_is_not(void)
{
    static const struct {
        const char *text;
        size_t size, good, bad;
    } cases[] = {
        {"", 0, 0, 0},
        {"plain", 5, 5, 0},
        {"h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x8e\x89", 15, 15, 0},
        {"12345678\xff", 9, 8, 1},
        {"a\xc0\x80", 3, 1, 1},         /* longer than it need be */
        {"\xe0\x80\x80", 3, 0, 1},      /* as well */
        {"\xed\xa0\x80", 3, 0, 1},      /* a surrogate */
        {"\xf4\x90\x80\x80", 4, 0, 1},  /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", 4, 0, 1},
        {"\xe2\x82", 2, 0, 0},          /* cut off */
        {"\xf0\x9f\x8e", 3, 0, 0},
        {"\xe2\x82!", 3, 0, 2},
        {"\xf0\x9f\x8e!", 4, 0, 3},
        {"\x80", 1, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bad = 9, size = cases[i].size;
        MILLRACE_CHECK(millrace_utf8_prefix(millrace_view(cases[i].text, size), &bad) ==
                       cases[i].good);
        MILLRACE_CHECK(bad == cases[i].bad);
    }
}

static void a_reason_is_utf8_whatever_is_in_it(void)
{
    millrace_call call = millrace_begin("t");
    MILLRACE_CHECK_TEXT(millrace_fail(&call, "no %s", "\xc3\xa9").as.fail, "no \xc3\xa9");
    MILLRACE_CHECK_TEXT(millrace_fail(&call, "<%s>", "\xff\xe2\x82").as.fail,
                        "<\xef\xbf\xbd\xef\xbf\xbd>");
    millrace_result result = millrace_error(&call, "%s", "a\xe2\x82");
    MILLRACE_CHECK(result.failed);
    MILLRACE_CHECK_TEXT(result.bytes, "a\xef\xbf\xbd");
    MILLRACE_CHECK(!millrace_ready().failed);
    millrace_end(&call);
}

static void an_output_that_no_record_can_be_becomes_a_fail(void)
{
    millrace_call call = millrace_begin("t");
    millrace_output topic = millrace_source(), header = millrace_source();
    millrace_set_topic(&topic, millrace_text("\xff"));
    millrace_add_header(&call, &header, millrace_text("\xff"), millrace_null());
    millrace_verdict verdicts[] = {millrace_replace(topic), millrace_forward(),
                                   millrace_expand(&call, &header, 1)};
    millrace_check(&call, verdicts, 3);
    MILLRACE_CHECK(verdicts[0].kind == MILLRACE_FAIL);
    MILLRACE_CHECK_TEXT(verdicts[0].as.fail, "the topic that it should go to is not UTF-8");
    MILLRACE_CHECK(verdicts[1].kind == MILLRACE_FORWARD);
    MILLRACE_CHECK(verdicts[2].kind == MILLRACE_FAIL);
    MILLRACE_CHECK_TEXT(verdicts[2].as.fail, "a header's name is not UTF-8");
    millrace_end(&call);
}

static void a_line_of_any_level_can_be_logged_without_a_host(void)
{
    millrace_log_trace("plain");
    millrace_log_debug("%d", 1);
    millrace_log_info("%s", "info");
    millrace_log_warn("%.*s", MILLRACE_ARG(millrace_text("warn")));
    millrace_log_error("%d of %d", 2, 3);
    millrace_log_text(MILLRACE_LOG_INFO, millrace_text("text"));
    MILLRACE_CHECK(true);
}

int main(void)
{
    MILLRACE_TEST(null_is_not_empty);
    MILLRACE_TEST(bytes_may_have_zeros_in_them);
    MILLRACE_TEST(what_is_not_set_is_the_sources);
    MILLRACE_TEST(a_header_is_added_to_the_sources_unless_those_are_left_out);
    MILLRACE_TEST(the_last_header_of_a_name_wins);
    MILLRACE_TEST(expand_copies_its_outputs);
    MILLRACE_TEST(text_of_any_length_is_printed);
    MILLRACE_TEST(parts_are_joined_with_their_zeros);
    MILLRACE_TEST(memory_is_aligned_and_released);
    MILLRACE_TEST(utf8_is_told_from_what_is_not);
    MILLRACE_TEST(a_reason_is_utf8_whatever_is_in_it);
    MILLRACE_TEST(an_output_that_no_record_can_be_becomes_a_fail);
    MILLRACE_TEST(a_line_of_any_level_can_be_logged_without_a_host);
    return millrace_tested();
}
