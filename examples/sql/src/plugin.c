/*
 * SQL over each record: the configuration is one SELECT of SQLite's, the record is the
 * table `record` with one row (key, value, topic, partition, offset, timestamp), and
 * header('name') is a header's value. Each row of the result is a record that goes out;
 * none drops it. What a column is called says what it becomes: key, value, topic,
 * partition, timestamp, or "header NAME". What is not selected stays the record's own.
 */
#define MILLRACE_IMPLEMENTATION
#include "millrace.h"

#include "sqlite3.h"

static sqlite3 *database;
static sqlite3_stmt *statement;

/* The record that `record` and header() show. */
static const millrace_call *now;
static const millrace_message *record;

/* --- The record in SQL ------------------------------------------------------------ */

/* Text where it is UTF-8, which JSON functions want; else a blob. */
static void give(sqlite3_context *context, millrace_bytes bytes)
{
    if (millrace_is_null(bytes)) {
        sqlite3_result_null(context);
    } else if (millrace_is_utf8(bytes)) {
        sqlite3_result_text64(context, bytes.data, bytes.size, SQLITE_STATIC, SQLITE_UTF8);
    } else {
        sqlite3_result_blob64(context, bytes.data, bytes.size, SQLITE_STATIC);
    }
}

static void header(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    (void)count;
    const char *name = (const char *)sqlite3_value_text(arguments[0]);
    give(context, name == NULL ? millrace_null() : millrace_header_of(record, name));
}

typedef struct cursor {
    sqlite3_vtab_cursor base;
    bool done;
} cursor;

static int connect_table(sqlite3 *db, void *nothing, int count, const char *const *arguments,
                         sqlite3_vtab **table, char **error)
{
    (void)nothing, (void)count, (void)arguments, (void)error;
    *table = (sqlite3_vtab *)sqlite3_malloc(sizeof **table);
    if (*table == NULL) {
        return SQLITE_NOMEM;
    }
    memset(*table, 0, sizeof **table);
    return sqlite3_declare_vtab(
        db, "CREATE TABLE record(key, value, topic, partition, \"offset\", timestamp)");
}

static int disconnect_table(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

static int plan(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    info->estimatedCost = 1;
    info->estimatedRows = 1;
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **made)
{
    (void)table;
    cursor *it = (cursor *)sqlite3_malloc(sizeof *it);
    if (it == NULL) {
        return SQLITE_NOMEM;
    }
    memset(it, 0, sizeof *it);
    *made = &it->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *it)
{
    sqlite3_free(it);
    return SQLITE_OK;
}

static int first_row(sqlite3_vtab_cursor *it, int plan_number, const char *plan_text, int count,
                     sqlite3_value **arguments)
{
    (void)plan_number, (void)plan_text, (void)count, (void)arguments;
    ((cursor *)it)->done = false;
    return SQLITE_OK;
}

static int next_row(sqlite3_vtab_cursor *it)
{
    ((cursor *)it)->done = true;
    return SQLITE_OK;
}

static int is_done(sqlite3_vtab_cursor *it)
{
    return ((cursor *)it)->done;
}

static int column(sqlite3_vtab_cursor *it, sqlite3_context *context, int number)
{
    (void)it;
    switch (number) {
    case 0:
        give(context, record->key);
        break;
    case 1:
        give(context, record->value);
        break;
    case 2:
        give(context, now->topic);
        break;
    case 3:
        sqlite3_result_int(context, now->partition);
        break;
    case 4:
        sqlite3_result_int64(context, record->offset);
        break;
    default:
        if (record->timestamp.kind != MILLRACE_NOT_AVAILABLE) {
            sqlite3_result_int64(context, record->timestamp.millis);
        }
    }
    return SQLITE_OK;
}

static int row_id(sqlite3_vtab_cursor *it, sqlite3_int64 *id)
{
    (void)it;
    *id = 1;
    return SQLITE_OK;
}

static const sqlite3_module record_table = {
    .xConnect = connect_table,
    .xBestIndex = plan,
    .xDisconnect = disconnect_table,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = first_row,
    .xNext = next_row,
    .xEof = is_done,
    .xColumn = column,
    .xRowid = row_id,
};

/* --- SQLite's system: no files, no chance, no time -------------------------------- */

static int open_file(sqlite3_vfs *system, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)system, (void)name, (void)flags, (void)out;
    file->pMethods = NULL;
    return SQLITE_CANTOPEN;
}

static int full_name(sqlite3_vfs *system, const char *name, int size, char *out)
{
    (void)system;
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
}

static int chance(sqlite3_vfs *system, int size, char *out)
{
    (void)system;
    memset(out, 0, (size_t)size);
    return size;
}

/* A plugin depends on nothing but its input: what time it is, the record says. */
static int current_time(sqlite3_vfs *system, double *time)
{
    (void)system, (void)time;
    return SQLITE_ERROR;
}

int sqlite3_os_init(void);
int sqlite3_os_init(void)
{
    static sqlite3_vfs none = {
        .iVersion = 1,
        .szOsFile = sizeof(sqlite3_file),
        .mxPathname = 64,
        .zName = "none",
        .xOpen = open_file,
        .xFullPathname = full_name,
        .xRandomness = chance,
        .xCurrentTime = current_time,
    };
    return sqlite3_vfs_register(&none, 1);
}

int sqlite3_os_end(void);
int sqlite3_os_end(void)
{
    return SQLITE_OK;
}

/* --- The plugin ------------------------------------------------------------------- */

static const char header_prefix[] = "header ";

/* Whether a column of this name says what it is. */
static bool is_known(const char *name)
{
    static const char *const names[] = {"key", "value", "topic", "partition", "timestamp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, header_prefix, sizeof header_prefix - 1) == 0;
}

/* Whether only white space, comments and semicolons are left. */
static bool is_end(const char *rest)
{
    while (*rest != '\0') {
        sqlite3_stmt *more;
        int status = sqlite3_prepare_v2(database, rest, -1, &more, &rest);
        sqlite3_finalize(more);
        if (status != SQLITE_OK || more != NULL) {
            return false;
        }
    }
    return true;
}

static millrace_result init(millrace_call *call, millrace_bytes config)
{
    if (database == NULL) {
        if (sqlite3_open(":memory:", &database) != SQLITE_OK ||
            sqlite3_create_module(database, "record", &record_table, NULL) != SQLITE_OK ||
            sqlite3_create_function(database, "header", 1, SQLITE_UTF8, NULL, header, NULL,
                                    NULL) != SQLITE_OK) {
            return millrace_error(call, "SQLite does not start: %s", sqlite3_errmsg(database));
        }
    }
    sqlite3_finalize(statement);
    statement = NULL;
    const char *rest;
    if (sqlite3_prepare_v3(database, config.data, (int)config.size + 1,
                           SQLITE_PREPARE_PERSISTENT, &statement, &rest) != SQLITE_OK) {
        return millrace_error(call, "%s", sqlite3_errmsg(database));
    }
    if (statement == NULL) {
        return millrace_error(call, "the configuration is a SELECT, and there is none");
    }
    if (!is_end(rest)) {
        return millrace_error(call, "there is more behind the first statement: %s", rest);
    }
    if (!sqlite3_stmt_readonly(statement) || sqlite3_column_count(statement) == 0) {
        return millrace_error(call, "the configuration is a SELECT, and nothing else");
    }
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        const char *name = sqlite3_column_name(statement, i);
        if (!is_known(name)) {
            return millrace_error(call,
                                  "no part of a record is called %s: AS key, value, topic, "
                                  "partition, timestamp or \"header NAME\"",
                                  name);
        }
    }
    return millrace_ready();
}

/* A column's bytes, in the call's memory: numbers as text, NULL as Kafka's null. */
static millrace_bytes bytes_of(millrace_call *call, int i)
{
    if (sqlite3_column_type(statement, i) == SQLITE_NULL) {
        return millrace_null();
    }
    const void *data = sqlite3_column_type(statement, i) == SQLITE_BLOB
                           ? sqlite3_column_blob(statement, i)
                           : sqlite3_column_text(statement, i);
    return millrace_copy(call,
                         millrace_view(data, (size_t)sqlite3_column_bytes(statement, i)));
}

/* The current row as an output; NULL, or which column is wrong. */
static const char *output_of(millrace_call *call, millrace_output *output)
{
    *output = millrace_source();
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        const char *name = sqlite3_column_name(statement, i);
        bool null = sqlite3_column_type(statement, i) == SQLITE_NULL;
        bool number = sqlite3_column_type(statement, i) == SQLITE_INTEGER;
        if (strcmp(name, "key") == 0) {
            millrace_set_key(output, bytes_of(call, i));
        } else if (strcmp(name, "value") == 0) {
            millrace_set_value(output, bytes_of(call, i));
        } else if (strncmp(name, header_prefix, sizeof header_prefix - 1) == 0) {
            millrace_bytes header_name = millrace_text(name + sizeof header_prefix - 1);
            millrace_add_header(call, output, millrace_copy(call, header_name),
                                bytes_of(call, i));
        } else if (null) {
            continue; /* the pipeline's topic, any partition, the record's timestamp */
        } else if (strcmp(name, "topic") == 0) {
            millrace_set_topic(output, bytes_of(call, i));
        } else if (!number) {
            return name;
        } else if (strcmp(name, "partition") == 0) {
            sqlite3_int64 partition = sqlite3_column_int64(statement, i);
            if (partition < 0 || partition > INT32_MAX) {
                return name;
            }
            millrace_set_partition(output, (int32_t)partition);
        } else {
            millrace_set_timestamp(output, sqlite3_column_int64(statement, i));
        }
    }
    return NULL;
}

static millrace_verdict judge(millrace_call *call)
{
    millrace_output *outputs = NULL;
    size_t count = 0, room = 0;
    int step;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
        if (count == room) {
            room = room == 0 ? 1 : room * 2;
            millrace_output *more =
                (millrace_output *)millrace_alloc(call, room * sizeof *more);
            if (count > 0) {
                memcpy(more, outputs, count * sizeof *more);
            }
            outputs = more;
        }
        const char *wrong = output_of(call, &outputs[count++]);
        if (wrong != NULL) {
            return millrace_fail(call, "%s is no whole number that fits", wrong);
        }
    }
    if (step != SQLITE_DONE) {
        return millrace_fail(call, "%s", sqlite3_errmsg(database));
    }
    return count == 0   ? millrace_drop()
           : count == 1 ? millrace_replace(outputs[0])
                        : millrace_expand(call, outputs, count);
}

static millrace_verdict transform(millrace_call *call, const millrace_message *message)
{
    now = call;
    record = message;
    millrace_verdict verdict = judge(call);
    sqlite3_reset(statement);
    return verdict;
}

MILLRACE_TRANSFORM(init, transform);
