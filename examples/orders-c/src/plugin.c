/*
 * Cleans orders, as JSON: `void` ones are dropped, the others get `total_cents` and go out
 * as they came otherwise (with a note, or whatever else they have).
 */
#define MILLRACE_IMPLEMENTATION
#include "millrace.h"
#include "millrace_json.h"

#include <math.h>
#include <stdlib.h>

/* What an order has, and `total_cents`, which it must not have yet. */
enum { ID, CUSTOMER, AMOUNT, CURRENCY, STATUS, TOTAL_CENTS, FIELDS };

static const char *const names[FIELDS] = {"id",       "customer", "amount",
                                          "currency", "status",   "total_cents"};
static const char *const expected[FIELDS] = {"u64", "a string", "f64", "a string", "a string", ""};

/* Stands for half a surrogate pair: UTF-8 has no such byte. */
enum { HALF = 0xff };

/* --- The reasons ------------------------------------------------------------------ */

/* The fewest digits that mean this finite number: d.ddd and the exponent. */
static int shortest(double number, char digits[32])
{
    for (int precision = 0;; precision++) {
        snprintf(digits, 32, "%.*e", precision, number);
        if (precision == 16 || strtod(digits, NULL) == number) {
            break;
        }
    }
    char *e = strchr(digits, 'e');
    *e = '\0';
    return (int)strtol(e + 1, NULL, 10);
}

/* As 1e300, 1.5e16. */
static millrace_bytes scientific(millrace_call *call, double number)
{
    char digits[32];
    int exponent = shortest(number, digits);
    return millrace_printf(call, "%se%d", digits, exponent);
}

/* With a point where that is not too long, else with an exponent and its sign. */
static millrace_bytes decimal(millrace_call *call, double number)
{
    char digits[32];
    int exponent = shortest(number, digits);
    if (exponent < -5 || exponent >= 16) {
        return millrace_printf(call, "%se%s%d", digits, exponent < 0 ? "" : "+", exponent);
    }
    int significant = (int)strlen(digits) - (signbit(number) ? 1 : 0);
    int places = (significant > 1 ? significant - 2 : 0) - exponent;
    return millrace_printf(call, "%.*f", places > 1 ? places : 1, number);
}

/* In quotes, with what is special escaped. */
static millrace_bytes quoted(millrace_call *call, const char *text, size_t size)
{
    char *out = (char *)millrace_alloc(call, size * 6 + 3), *end = out;
    *end++ = '"';
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        const char *at = strchr("\n\r\t\\\"", c);
        if (c == '\0') {
            end += sprintf(end, "\\0");
        } else if (at != NULL) {
            *end++ = '\\';
            *end++ = "nrt\\\""[at - "\n\r\t\\\""];
        } else if (c < 0x20 || c == 0x7f) {
            end += sprintf(end, "\\u{%x}", c);
        } else {
            *end++ = (char)c;
        }
    }
    *end++ = '"';
    return millrace_view(out, (size_t)(end - out));
}

/* Whether it is one of 64 bits: yyjson takes -0 for one, too. */
static bool is_integer(yyjson_val *value)
{
    return yyjson_is_uint(value) || yyjson_get_sint(value) < 0;
}

static double number_of(yyjson_val *value)
{
    return yyjson_is_raw(value) ? strtod(yyjson_get_raw(value), NULL) : yyjson_get_num(value);
}

static millrace_bytes unexpected(millrace_call *call, yyjson_val *value)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
        return millrace_text("null");
    case YYJSON_TYPE_BOOL:
        return millrace_text(yyjson_get_bool(value) ? "boolean `true`" : "boolean `false`");
    case YYJSON_TYPE_ARR:
        return millrace_text("sequence");
    case YYJSON_TYPE_OBJ:
        return millrace_text("map");
    case YYJSON_TYPE_STR: {
        const millrace_bytes parts[] = {
            millrace_text("string "),
            quoted(call, yyjson_get_str(value), yyjson_get_len(value)),
        };
        return millrace_join(call, parts, 2);
    }
    default: {
        bool whole = is_integer(value);
        double real = yyjson_is_sint(value) ? -0.0 : number_of(value);
        millrace_bytes text =
            whole ? millrace_json_text(call, value) : decimal(call, real);
        return millrace_printf(call, "%s `%.*s`", whole ? "integer" : "floating point",
                               MILLRACE_ARG(text));
    }
    }
}

static millrace_verdict invalid(millrace_call *call, const char *what, yyjson_val *value,
                                const char *wanted)
{
    const millrace_bytes reason[] = {
        millrace_text("not an order: invalid "), millrace_text(what), millrace_text(": "),
        unexpected(call, value),                 millrace_text(", expected "),
        millrace_text(wanted),
    };
    return millrace_fail_text(call, millrace_join(call, reason, 6));
}

/* A fail with the place where the JSON ends being some. */
static millrace_verdict not_json(millrace_call *call, millrace_bytes text, size_t at,
                                 const char *why)
{
    size_t line = 1, column = 0;
    for (size_t i = 0; i < text.size && i <= at; i++) {
        column++;
        if (text.data[i] == '\n') {
            line++;
            column = 0;
        }
    }
    return millrace_fail(call, "not JSON: %s at line %zu column %zu", why, line, column);
}

/* --- JSON, where nobody minds half a surrogate pair in what is not read ------------- */

/* The UTF-16 unit that is written as \uXXXX there; 0 where none is. */
static unsigned long escaped(millrace_bytes text, size_t at)
{
    char digits[5] = "";
    if (at + 6 > text.size || text.data[at] != '\\' || text.data[at + 1] != 'u') {
        return 0;
    }
    memcpy(digits, text.data + at + 2, 4);
    return strtoul(digits, NULL, 16);
}

/*
 * The text with HALF in each byte of the escapes that yyjson would refuse; null where it is
 * no JSON for a control character in a string, which yyjson takes where it takes HALF.
 */
static millrace_bytes without_halves(millrace_call *call, millrace_bytes text)
{
    char *out = (char *)millrace_alloc(call, text.size);
    memcpy(out, text.data, text.size);
    bool inside = false;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (inside && c < ' ') {
            return millrace_null();
        }
        if (c != '\\') {
            inside ^= c == '"';
            continue;
        }
        unsigned long unit = escaped(text, i);
        if (unit - 0xd800 < 0x400 && escaped(text, i + 6) - 0xdc00 < 0x400) {
            i += 11; /* both halves */
        } else if (unit - 0xd800 < 0x800) {
            memset(out + i, HALF, 6);
            i += 5;
        } else {
            i += 1; /* what may be a backslash, too */
        }
    }
    return millrace_view(out, text.size);
}

static yyjson_doc *read_json(millrace_call *call, millrace_bytes text, yyjson_read_err *error)
{
    yyjson_alc memory = millrace_json_memory(call);
    yyjson_read_flag flags = YYJSON_READ_BIGNUM_AS_RAW;
    yyjson_doc *json = yyjson_read_opts((char *)(uintptr_t)text.data, text.size, flags,
                                        &memory, error);
    if (json != NULL || error->code != YYJSON_READ_ERROR_INVALID_STRING) {
        return json;
    }
    text = without_halves(call, text);
    if (millrace_is_null(text)) {
        return NULL;
    }
    return yyjson_read_opts((char *)(uintptr_t)text.data, text.size,
                            flags | YYJSON_READ_ALLOW_INVALID_UNICODE, &memory, error);
}

/* --- The job ---------------------------------------------------------------------- */

/* Why it is no JSON, where that is seen only by who reads it: `fail` says so. */
static bool is_flawed(millrace_call *call, millrace_bytes text, const yyjson_doc *json,
                      yyjson_val *value, millrace_verdict *fail)
{
    /* Strings, and numbers that are not converted, stand in a copy of the text. */
    if (yyjson_is_str(value) && memchr(yyjson_get_str(value), HALF, yyjson_get_len(value))) {
        size_t start = (size_t)(yyjson_get_str(value) - json->str_pool);
        *fail = not_json(call, text, start, "half a surrogate pair in the string");
        return true;
    }
    if (yyjson_is_raw(value) && isinf(number_of(value))) {
        size_t start = (size_t)(yyjson_get_raw(value) - json->str_pool);
        *fail = not_json(call, text, start + yyjson_get_len(value) - 1, "number out of range");
        return true;
    }
    return false;
}

/* A field's value, checked: whether it is well; else `fail` says why not. */
static bool check(millrace_call *call, millrace_bytes text, const yyjson_doc *json, int field,
                  yyjson_val *value, millrace_verdict *fail)
{
    if (field == TOTAL_CENTS) { /* A second one would leave readers to choose. */
        *fail = millrace_fail(call, "not an order: `total_cents` is already there");
        return false;
    }
    if (is_flawed(call, text, json, value, fail)) {
        return false;
    }
    bool right = field == ID       ? yyjson_is_uint(value)
                 : field == AMOUNT ? yyjson_is_num(value) || yyjson_is_raw(value)
                                   : yyjson_is_str(value);
    if (!right) {
        bool negative = field == ID && is_integer(value);
        *fail = invalid(call, negative ? "value" : "type", value, expected[field]);
    }
    return right;
}

static int field_of(yyjson_val *key)
{
    const char *name = yyjson_get_str(key);
    size_t size = yyjson_get_len(key);
    for (int field = 0; field < FIELDS; field++) {
        if (strlen(names[field]) == size && memcmp(names[field], name, size) == 0) {
            return field;
        }
    }
    return FIELDS;
}

/* Finds and checks all fields of an object; as above. */
static bool read_object(millrace_call *call, millrace_bytes text, const yyjson_doc *json,
                        yyjson_val *values[FIELDS], millrace_verdict *fail)
{
    yyjson_val *order = json->root;
    size_t index, most;
    yyjson_val *key, *value;
    yyjson_obj_foreach(order, index, most, key, value) {
        int field = field_of(key);
        if (field == FIELDS) {
            if (is_flawed(call, text, json, key, fail)) {
                return false;
            }
            continue;
        }
        if (values[field] != NULL) {
            *fail = millrace_fail(call, "not an order: duplicate field `%s`", names[field]);
            return false;
        }
        if (!check(call, text, json, field, value, fail)) {
            return false;
        }
        values[field] = value;
    }
    for (int field = ID; field <= STATUS; field++) {
        if (values[field] == NULL) {
            *fail = millrace_fail(call, "not an order: missing field `%s`", names[field]);
            return false;
        }
    }
    return true;
}

/* An array of the fields is no order, and the reason says what is wrong first. */
static millrace_verdict reject_array(millrace_call *call, millrace_bytes text,
                                     const yyjson_doc *json)
{
    yyjson_val *order = json->root;
    millrace_verdict fail;
    size_t index, most;
    yyjson_val *value;
    yyjson_arr_foreach(order, index, most, value) {
        if (index < FIELDS && !check(call, text, json, (int)index, value, &fail)) {
            return fail;
        }
    }
    if (most < TOTAL_CENTS) {
        return millrace_fail(call,
                             "not an order: invalid length %zu, expected struct Order with "
                             "%d elements",
                             most, FIELDS);
    }
    return millrace_fail(call, "not an order: an array");
}

/* The order with its cents: the text is kept, and not written anew. */
static millrace_bytes with_cents(millrace_call *call, millrace_bytes text, int64_t cents)
{
    static const char name[] = ",\"total_cents\":";
    size_t open = text.size;
    while (text.data[open - 1] != '}') { /* spaces */
        open--;
    }
    open--;
    char digits[24], *first = digits + sizeof digits;
    uint64_t rest = cents < 0 ? (uint64_t)-cents : (uint64_t)cents;
    *--first = '}';
    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (cents < 0) {
        *--first = '-';
    }
    size_t length = (size_t)(digits + sizeof digits - first);
    size_t size = open + sizeof name - 1 + length;
    char *out = (char *)millrace_alloc(call, size);
    memcpy(out, text.data, open);
    memcpy(out + open, name, sizeof name - 1);
    memcpy(out + open + sizeof name - 1, first, length);
    return millrace_view(out, size);
}

static millrace_verdict clean(millrace_call *call, millrace_bytes text)
{
    size_t bad, good = millrace_utf8_prefix(text, &bad);
    if (good < text.size && bad > 0) {
        return millrace_fail(
            call, "not UTF-8: invalid utf-8 sequence of %zu bytes from index %zu", bad, good);
    }
    if (good < text.size) {
        return millrace_fail(call, "not UTF-8: incomplete utf-8 byte sequence from index %zu",
                             good);
    }
    if (text.size == 0) {
        return not_json(call, text, 0, "EOF while parsing a value");
    }

    millrace_mark mark = millrace_mark_now(call);
    yyjson_read_err error;
    yyjson_doc *json = read_json(call, text, &error);
    if (json == NULL) {
        return not_json(call, text, error.pos, error.msg);
    }
    millrace_verdict fail;
    yyjson_val *order = yyjson_doc_get_root(json);
    if (yyjson_is_arr(order)) {
        return reject_array(call, text, json);
    }
    if (is_flawed(call, text, json, order, &fail)) {
        return fail;
    }
    if (!yyjson_is_obj(order)) {
        return invalid(call, "type", order, "struct Order");
    }
    yyjson_val *values[FIELDS] = {NULL};
    if (!read_object(call, text, json, values, &fail)) {
        return fail;
    }
    bool is_void = yyjson_equals_str(values[STATUS], "void");
    double amount = number_of(values[AMOUNT]);
    millrace_release(call, mark); /* the JSON is not needed any more */

    if (is_void) {
        return millrace_drop();
    }
    double cents = round(amount * 100); /* Half away from zero. */
    if (fabs(cents) > 9007199254740992.0) {
        return millrace_fail(call, "not an order: amount %.*s is too large",
                             MILLRACE_ARG(scientific(call, amount)));
    }
    return millrace_replace_value(with_cents(call, text, (int64_t)cents));
}

static millrace_verdict transform(millrace_call *call, const millrace_message *message)
{
    if (millrace_is_null(message->value)) {
        return millrace_fail(call, "the value is null");
    }
    return clean(call, message->value);
}

MILLRACE_TRANSFORM(NULL, transform);
