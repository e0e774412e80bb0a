/* What the three guests have in common: words, arguments and `init`. */
#ifndef COMMON_H
#define COMMON_H

#define MILLRACE_IMPLEMENTATION
#include "millrace.h"

/* A word and, where there is a space behind it, its argument; null where there is none. */
typedef struct command {
    millrace_bytes word;
    millrace_bytes argument;
} command;

static command command_of(millrace_bytes bytes)
{
    command it = {bytes, millrace_null()};
    const char *space = (const char *)memchr(bytes.data, ' ', bytes.size);
    if (space != NULL) {
        it.word.size = (size_t)(space - bytes.data);
        it.argument = millrace_view(space + 1, bytes.size - it.word.size - 1);
    }
    return it;
}

static bool is_text(millrace_bytes argument)
{
    return !millrace_is_null(argument) && millrace_is_utf8(argument);
}

static bool rejects(command it)
{
    return millrace_is(it.word, "fail") || millrace_is(it.word, "throw");
}

static millrace_result init(millrace_call *call, millrace_bytes config)
{
    command it = command_of(config);
    bool has_argument = !millrace_is_null(it.argument);
    if (config.size == 0) {
        return millrace_ready();
    }
    if (has_argument && (millrace_is(it.word, "refuse") || millrace_is(it.word, "throw"))) {
        return millrace_error_text(call, it.argument);
    }
    if (millrace_is(config, "log")) {
        millrace_log_trace("trace line");
        millrace_log_debug("debug line");
        millrace_log_info("info line");
        millrace_log_warn("warn line");
        millrace_log_error("error line");
        return millrace_ready();
    }
    const millrace_bytes reason[] = {millrace_text("unknown configuration: "), config};
    return millrace_error_text(call, millrace_join(call, reason, 2));
}

#endif
