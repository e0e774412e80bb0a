/* The conformance suite's transform (tests/conformance/README.md). */
#include "../common.h"

#include <errno.h>
#include <stdlib.h>

static unsigned long long judged;

/* A decimal number and nothing else, of these bounds. */
static bool number_of(millrace_bytes argument, int64_t least, int64_t most, int64_t *number)
{
    size_t sign = argument.size > 0 && (argument.data[0] == '-' || argument.data[0] == '+');
    if (argument.size == sign) {
        return false;
    }
    for (size_t i = sign; i < argument.size; i++) {
        if (argument.data[i] < '0' || argument.data[i] > '9') {
            return false;
        }
    }
    errno = 0; /* A view that came in ends with a zero byte. */
    *number = strtoll(argument.data, NULL, 10);
    return errno == 0 && *number >= least && *number <= most;
}

static int level_of(millrace_bytes word)
{
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
    for (int level = MILLRACE_LOG_TRACE; level <= MILLRACE_LOG_ERROR; level++) {
        if (millrace_is(word, levels[level])) {
            return level;
        }
    }
    return -1;
}

static void add_four_headers(millrace_call *call, millrace_output *output)
{
    millrace_add_header(call, output, millrace_text("a"), millrace_text("1"));
    millrace_add_header(call, output, millrace_text("a"), millrace_null());
    millrace_add_header(call, output, millrace_text("\xc3\xa9"), millrace_view("\0\xff", 2));
    millrace_add_header(call, output, millrace_text("b"), millrace_text(""));
}

/* `null`, or 0x and the digits. */
static millrace_bytes hexadecimal(millrace_call *call, millrace_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    if (millrace_is_null(bytes)) {
        return millrace_text("null");
    }
    char *text = (char *)millrace_alloc(call, 2 + 2 * bytes.size), *end = text;
    *end++ = '0';
    *end++ = 'x';
    for (size_t i = 0; i < bytes.size; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        *end++ = digits[byte >> 4];
        *end++ = digits[byte & 15];
    }
    return millrace_view(text, (size_t)(end - text));
}

static millrace_bytes describe(millrace_call *call, const millrace_message *message)
{
    size_t count = 0;
    millrace_bytes *parts = (millrace_bytes *)millrace_alloc(
        call, message->header_count * 4 * sizeof *parts);
    for (size_t i = 0; i < message->header_count; i++) {
        parts[count++] = millrace_text(i == 0 ? "" : ",");
        parts[count++] = message->headers[i].name;
        parts[count++] = millrace_text("=");
        parts[count++] = hexadecimal(call, message->headers[i].value);
    }
    millrace_bytes headers = millrace_join(call, parts, count);
    long long millis = message->timestamp.millis;
    millrace_bytes timestamp = millrace_text("not-available");
    if (message->timestamp.kind == MILLRACE_CREATE_TIME) {
        timestamp = millrace_printf(call, "create-time:%lld", millis);
    } else if (message->timestamp.kind == MILLRACE_LOG_APPEND_TIME) {
        timestamp = millrace_printf(call, "log-append-time:%lld", millis);
    }
    const millrace_bytes line[] = {
        millrace_printf(call, "topic=%.*s partition=%ld offset=%lld timestamp=",
                        MILLRACE_ARG(call->topic), (long)call->partition,
                        (long long)message->offset),
        timestamp,
        millrace_text(" key="),
        hexadecimal(call, message->key),
        millrace_text(" headers=["),
        headers,
        millrace_text("]"),
    };
    return millrace_join(call, line, sizeof line / sizeof *line);
}

static millrace_verdict bad_argument(millrace_call *call)
{
    return millrace_fail(call, "bad argument");
}

static millrace_verdict expand(millrace_call *call, millrace_bytes argument)
{
    int64_t count;
    if (!number_of(argument, 0, 10000000, &count)) {
        return bad_argument(call);
    }
    millrace_output *outputs =
        (millrace_output *)millrace_alloc(call, (size_t)count * sizeof *outputs);
    for (int64_t i = 0; i < count; i++) {
        outputs[i] = millrace_source();
        millrace_set_value(&outputs[i], millrace_printf(call, "%lld", (long long)i));
    }
    return millrace_expand(call, outputs, (size_t)count);
}

static millrace_verdict each(millrace_call *call)
{
    millrace_output outputs[3] = {millrace_source(), millrace_source(), millrace_source()};
    millrace_set_value(&outputs[0], millrace_null());
    millrace_set_topic(&outputs[1], millrace_text("other"));
    millrace_only_headers(call, &outputs[2], NULL, 0);
    add_four_headers(call, &outputs[2]);
    return millrace_expand(call, outputs, 3);
}

static millrace_verdict write_log(millrace_call *call, millrace_bytes argument)
{
    command it = command_of(millrace_is_null(argument) ? millrace_text("") : argument);
    int level = level_of(it.word);
    if (level < 0 || !is_text(it.argument)) {
        return bad_argument(call);
    }
    millrace_log_text(level, it.argument);
    return millrace_forward();
}

static millrace_verdict transform(millrace_call *call, const millrace_message *message)
{
    judged++;
    if (millrace_is_null(message->value)) {
        return millrace_forward();
    }
    command it = command_of(message->value);
    millrace_bytes word = it.word, argument = it.argument;
    millrace_output output = millrace_source();
    int64_t number;
    if (millrace_is(word, "forward")) {
        return millrace_forward();
    }
    if (millrace_is(word, "drop")) {
        return millrace_drop();
    }
    if (millrace_is(word, "same")) {
        return millrace_replace(output);
    }
    if (millrace_is(word, "expand")) {
        return expand(call, argument);
    }
    if (millrace_is(word, "each")) {
        return each(call);
    }
    if (millrace_is(word, "log")) {
        return write_log(call, argument);
    }
    if (rejects(it)) {
        return is_text(argument) ? millrace_fail_text(call, argument) : bad_argument(call);
    }
    if (millrace_is(word, "key") || millrace_is(word, "value")) {
        millrace_bytes bytes = millrace_is_null(argument) ? millrace_text("") : argument;
        if (millrace_is(word, "key")) {
            millrace_set_key(&output, bytes);
        } else {
            millrace_set_value(&output, bytes);
        }
    } else if (millrace_is(word, "null-key")) {
        millrace_set_key(&output, millrace_null());
    } else if (millrace_is(word, "null-value")) {
        millrace_set_value(&output, millrace_null());
    } else if (millrace_is(word, "timestamp")) {
        if (!number_of(argument, INT64_MIN, INT64_MAX, &number)) {
            return bad_argument(call);
        }
        millrace_set_timestamp(&output, number);
    } else if (millrace_is(word, "topic")) {
        if (!is_text(argument)) {
            return bad_argument(call);
        }
        millrace_set_topic(&output, argument);
    } else if (millrace_is(word, "partition")) {
        if (!number_of(argument, INT32_MIN, INT32_MAX, &number)) {
            return bad_argument(call);
        }
        millrace_set_partition(&output, (int32_t)number);
    } else if (millrace_is(word, "append")) {
        add_four_headers(call, &output);
    } else if (millrace_is(word, "append-none")) {
        output.headers.kind = MILLRACE_APPEND;
    } else if (millrace_is(word, "only")) {
        millrace_only_headers(call, &output, NULL, 0);
        add_four_headers(call, &output);
    } else if (millrace_is(word, "only-none")) {
        millrace_only_headers(call, &output, NULL, 0);
    } else if (millrace_is(word, "describe")) {
        millrace_set_value(&output, describe(call, message));
    } else if (millrace_is(word, "echo")) {
        millrace_set_key(&output, millrace_copy(call, message->key));
        millrace_set_value(&output, millrace_copy(call, message->value));
        millrace_only_headers(call, &output, message->headers, message->header_count);
    } else if (millrace_is(word, "count")) {
        millrace_set_value(&output, millrace_printf(call, "%llu", judged));
    } else {
        const millrace_bytes reason[] = {millrace_text("unknown command: "), word};
        return millrace_fail_text(call, millrace_join(call, reason, 2));
    }
    return millrace_replace(output);
}

MILLRACE_TRANSFORM(init, transform);
