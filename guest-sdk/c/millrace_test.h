/*
 * millrace_test.h: unit tests of plugins, natively, with nothing but the C library.
 *
 *     static void a_record_without_a_value_is_dropped(void)
 *     {
 *         millrace_call call = millrace_begin("readings");
 *         millrace_message message = millrace_message_of(millrace_null());
 *         MILLRACE_CHECK(mark(&call, &message).kind == MILLRACE_DROP);
 *         millrace_end(&call);
 *     }
 *
 *     int main(void)
 *     {
 *         MILLRACE_TEST(a_record_without_a_value_is_dropped);
 *         return millrace_tested();
 *     }
 */
#ifndef MILLRACE_TEST_H
#define MILLRACE_TEST_H

#include <stdio.h>

#include "millrace.h"

static int millrace__checks, millrace__wrong;

/* That this is so. What is not is shown with its place, and the test goes on. */
#define MILLRACE_CHECK(what) millrace__check((what), __FILE__, __LINE__, #what)

/* That these bytes are this text. */
#define MILLRACE_CHECK_TEXT(bytes, text) \
    millrace__check_text((bytes), (text), __FILE__, __LINE__)

/* Runs one test, and says so. */
#define MILLRACE_TEST(test)                                                            \
    do {                                                                               \
        int before = millrace__wrong;                                                  \
        test();                                                                        \
        printf("%s %s\n", millrace__wrong == before ? "ok    " : "FAILED", #test);     \
    } while (0)

static inline void millrace__check(bool right, const char *file, int line, const char *what)
{
    millrace__checks++;
    if (!right) {
        millrace__wrong++;
        fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    }
}

static inline void millrace__check_text(millrace_bytes bytes, const char *text,
                                        const char *file, int line)
{
    millrace__checks++;
    if (!millrace_is(bytes, text)) {
        millrace__wrong++;
        fprintf(stderr, "%s:%d: got      %s%.*s\n%s:%d: expected %s\n", file, line,
                millrace_is_null(bytes) ? "null" : "", MILLRACE_ARG(bytes), file, line, text);
    }
}

/* The tests' exit status. */
static inline int millrace_tested(void)
{
    printf("%d checks, %d wrong\n", millrace__checks, millrace__wrong);
    return millrace__wrong == 0 && millrace__checks > 0 ? 0 : 1;
}

#endif /* MILLRACE_TEST_H */
