//! Cleans orders, as JSON: `void` ones are dropped, the others get `total_cents` and go out
//! as they came otherwise (with a note, or whatever else they have). The SDK is C's, and so
//! is the JSON parser: `c.h`.
const std = @import("std");
const c = @import("c");

/// What an order has, and `total_cents`, which it must not have yet.
const Field = enum {
    id,
    customer,
    amount,
    currency,
    status,
    total_cents,

    fn expected(field: Field) []const u8 {
        return switch (field) {
            .id => "u64",
            .amount => "f64",
            else => "a string",
        };
    }
};

const fields = std.enums.values(Field).len;

/// A record that is rejected; why stands in `Order.verdict`.
const Rejected = error{Rejected};

export fn transform(call: *c.millrace_call, message: *const c.millrace_message) c.millrace_verdict {
    if (message.value.data == null) return failed(call, "the value is null", .{});
    var order: Order = .{ .call = call, .text = message.value.data[0..message.value.size] };
    return order.clean() catch order.verdict;
}

fn failed(call: *c.millrace_call, comptime format: []const u8, arguments: anytype) c.millrace_verdict {
    return c.millrace_fail_text(call, view(print(call, format, arguments)));
}

/// Text in the call's memory.
fn print(call: *c.millrace_call, comptime format: []const u8, arguments: anytype) []u8 {
    const size: usize = @intCast(std.fmt.count(format, arguments));
    const memory: [*]u8 = @ptrCast(c.millrace_alloc(call, size).?);
    return std.fmt.bufPrint(memory[0..size], format, arguments) catch unreachable;
}

fn view(text: []const u8) c.millrace_bytes {
    return c.millrace_view(text.ptr, text.len);
}

const Order = struct {
    call: *c.millrace_call,
    text: []const u8,
    verdict: c.millrace_verdict = undefined,
    json: *c.yyjson_doc = undefined,

    fn reject(order: *Order, comptime format: []const u8, arguments: anytype) Rejected {
        order.verdict = failed(order.call, format, arguments);
        return error.Rejected;
    }

    fn clean(order: *Order) Rejected!c.millrace_verdict {
        const call = order.call;
        var bad: usize = 0;
        const good = c.millrace_utf8_prefix(view(order.text), &bad);
        if (good < order.text.len) {
            if (bad == 0) return order.reject("not UTF-8: incomplete utf-8 byte sequence from index {d}", .{good});
            return order.reject("not UTF-8: invalid utf-8 sequence of {d} bytes from index {d}", .{ bad, good });
        }
        if (good == 0) return order.notJson("EOF while parsing a value", 0);

        const mark = c.millrace_mark_now(call);
        var problem: c.yyjson_read_err = undefined;
        order.json = readJson(call, order.text, &problem) orelse
            return order.notJson(std.mem.span(problem.msg), problem.pos);
        const root = c.yyjson_doc_get_root(order.json);
        if (c.yyjson_is_arr(root)) return order.rejectArray(root);
        try order.flawless(root);
        if (!c.yyjson_is_obj(root)) return order.invalid("type", root, "struct Order");
        const values = try order.read(root);
        const amount = number(values[@intFromEnum(Field.amount)]);
        const is_void = std.mem.eql(u8, string(values[@intFromEnum(Field.status)]), "void");
        c.millrace_release(call, mark); // The JSON is not needed any more.

        if (is_void) return c.millrace_drop();
        const cents = @round(amount * 100); // Half away from zero.
        if (@abs(cents) > 1 << 53) return order.reject("not an order: amount {e} is too large", .{amount});
        // The text is kept, not written anew.
        const end = std.mem.lastIndexOfScalar(u8, order.text, '}').?;
        const whole: i64 = @trunc(cents);
        return c.millrace_replace_value(view(print(call, "{s},\"total_cents\":{d}}}", .{ order.text[0..end], whole })));
    }

    /// All fields of an object, checked.
    fn read(order: *Order, root: *c.yyjson_val) Rejected![fields]*c.yyjson_val {
        var found: [fields]?*c.yyjson_val = @splat(null);
        var at = c.yyjson_obj_iter_with(root);
        while (@as(?*c.yyjson_val, c.yyjson_obj_iter_next(&at))) |key| {
            const field = std.meta.stringToEnum(Field, string(key)) orelse {
                try order.flawless(key);
                continue;
            };
            const place = &found[@intFromEnum(field)];
            if (place.* != null) return order.reject("not an order: duplicate field `{t}`", .{field});
            const value: *c.yyjson_val = c.yyjson_obj_iter_get_val(key);
            try order.check(field, value);
            place.* = value;
        }
        var values: [fields]*c.yyjson_val = undefined;
        for (found[0..@intFromEnum(Field.total_cents)], 0..) |value, i| {
            values[i] = value orelse
                return order.reject("not an order: missing field `{t}`", .{@as(Field, @enumFromInt(i))});
        }
        return values;
    }

    /// An array of the fields is no order, and the reason says what is wrong first.
    fn rejectArray(order: *Order, root: *c.yyjson_val) Rejected {
        const size = c.yyjson_arr_size(root);
        for (0..@min(size, fields)) |i| try order.check(@enumFromInt(i), c.yyjson_arr_get(root, i));
        if (size < @intFromEnum(Field.total_cents)) {
            return order.reject("not an order: invalid length {d}, expected struct Order with {d} elements", .{ size, fields });
        }
        return order.reject("not an order: an array", .{});
    }

    fn check(order: *Order, field: Field, value: *c.yyjson_val) Rejected!void {
        // A second one would leave readers to choose.
        if (field == .total_cents) return order.reject("not an order: `total_cents` is already there", .{});
        try order.flawless(value);
        const right = switch (field) {
            .id => c.yyjson_is_uint(value),
            .amount => c.yyjson_is_num(value) or c.yyjson_is_raw(value),
            else => c.yyjson_is_str(value),
        };
        if (right) return;
        const negative = field == .id and isInteger(value);
        return order.invalid(if (negative) "value" else "type", value, field.expected());
    }

    /// That it is JSON also where that is seen only by who reads it.
    fn flawless(order: *Order, value: *c.yyjson_val) Rejected!void {
        // Strings, and numbers that are not converted, stand in a copy of the text.
        const copy = @intFromPtr(order.json.str_pool);
        if (c.yyjson_is_str(value) and std.mem.indexOfScalar(u8, string(value), half) != null) {
            return order.notJson("half a surrogate pair in the string", @intFromPtr(c.yyjson_get_str(value)) - copy);
        }
        if (c.yyjson_is_raw(value) and std.math.isInf(number(value))) {
            const start = @intFromPtr(c.yyjson_get_raw(value)) - copy;
            return order.notJson("number out of range", start + c.yyjson_get_len(value) - 1);
        }
    }

    fn invalid(order: *Order, what: []const u8, value: *c.yyjson_val, wanted: []const u8) Rejected {
        const format = "not an order: invalid {s}: {s}, expected {s}";
        return order.reject(format, .{ what, unexpected(order.call, value), wanted });
    }

    /// A fail with the place where the JSON ends being some.
    fn notJson(order: *Order, why: []const u8, at: usize) Rejected {
        const before = order.text[0..@min(at + 1, order.text.len)];
        const line = std.mem.count(u8, before, "\n") + 1;
        const start = if (std.mem.lastIndexOfScalar(u8, before, '\n')) |newline| newline + 1 else 0;
        return order.reject("not JSON: {s} at line {d} column {d}", .{ why, line, before.len - start });
    }
};

/// Stands for half a surrogate pair: UTF-8 has no such byte.
const half = 0xff;

/// The JSON, where nobody minds half a surrogate pair in what is not read.
fn readJson(call: *c.millrace_call, text: []const u8, problem: *c.yyjson_read_err) ?*c.yyjson_doc {
    var memory = c.millrace_json_memory(call);
    const flags = c.YYJSON_READ_BIGNUM_AS_RAW;
    return c.yyjson_read_opts(@constCast(text.ptr), text.len, flags, &memory, problem) orelse {
        if (problem.code != c.YYJSON_READ_ERROR_INVALID_STRING) return null;
        const without = withoutHalves(call, text) orelse return null;
        return c.yyjson_read_opts(without.ptr, text.len, flags | c.YYJSON_READ_ALLOW_INVALID_UNICODE, &memory, problem);
    };
}

/// The text with `half` in each byte of the escapes that yyjson would refuse; null where it is
/// no JSON for a control character in a string, which yyjson takes where it takes `half`.
fn withoutHalves(call: *c.millrace_call, text: []const u8) ?[]u8 {
    const out = print(call, "{s}", .{text});
    var inside = false;
    var at: usize = 0;
    while (at < text.len) {
        const byte = text[at];
        if (inside and byte < ' ') return null;
        if (byte == '"') inside = !inside;
        const unit = escaped(text[at..]);
        if (std.unicode.utf16IsHighSurrogate(unit) and std.unicode.utf16IsLowSurrogate(escaped(text[at + 6 ..]))) {
            at += 12;
        } else if (std.unicode.isSurrogateCodepoint(unit)) {
            @memset(out[at..][0..6], half);
            at += 6;
        } else {
            at += if (byte == '\\') 2 else 1; // What may be a backslash, too.
        }
    }
    return out;
}

/// The UTF-16 unit that is written as `\uXXXX` here; 0 where none is.
fn escaped(text: []const u8) u16 {
    if (text.len < 6 or !std.mem.startsWith(u8, text, "\\u")) return 0;
    return std.fmt.parseInt(u16, text[2..6], 16) catch 0;
}

fn string(value: *c.yyjson_val) []const u8 {
    return c.yyjson_get_str(value)[0..c.yyjson_get_len(value)];
}

fn number(value: *c.yyjson_val) f64 {
    if (!c.yyjson_is_raw(value)) return c.yyjson_get_num(value);
    const text = c.yyjson_get_raw(value)[0..c.yyjson_get_len(value)];
    return std.fmt.parseFloat(f64, text) catch unreachable;
}

/// Whether it is one of 64 bits: yyjson takes -0 for one, too.
fn isInteger(value: *c.yyjson_val) bool {
    return c.yyjson_is_uint(value) or c.yyjson_get_sint(value) < 0;
}

fn unexpected(call: *c.millrace_call, value: *c.yyjson_val) []const u8 {
    if (c.yyjson_is_null(value)) return "null";
    if (c.yyjson_is_bool(value)) return if (c.yyjson_get_bool(value)) "boolean `true`" else "boolean `false`";
    if (c.yyjson_is_arr(value)) return "sequence";
    if (c.yyjson_is_obj(value)) return "map";
    if (c.yyjson_is_uint(value)) return print(call, "integer `{d}`", .{c.yyjson_get_uint(value)});
    if (isInteger(value)) return print(call, "integer `{d}`", .{c.yyjson_get_sint(value)});
    if (c.yyjson_is_str(value)) return quoted(call, string(value));
    const real = if (c.yyjson_is_sint(value)) -0.0 else number(value);
    const digits = print(call, "{e}", .{real});
    const e = std.mem.indexOfScalar(u8, digits, 'e').?;
    const exponent = std.fmt.parseInt(i32, digits[e + 1 ..], 10) catch unreachable;
    if (real != 0 and (exponent < -5 or exponent >= 16)) {
        const sign = if (exponent < 0) "" else "+";
        return print(call, "floating point `{s}e{s}{d}`", .{ digits[0..e], sign, exponent });
    }
    const text = print(call, "{d}", .{real});
    const point = if (std.mem.indexOfScalar(u8, text, '.') == null) ".0" else "";
    return print(call, "floating point `{s}{s}`", .{ text, point });
}

/// In quotes, with what is special escaped.
fn quoted(call: *c.millrace_call, text: []const u8) []const u8 {
    const memory: [*]u8 = @ptrCast(c.millrace_alloc(call, text.len * 6 + 9).?);
    var out: std.Io.Writer = .fixed(memory[0 .. text.len * 6 + 9]);
    write(&out, text) catch unreachable; // There is room for all as escapes.
    return out.buffered();
}

fn write(out: *std.Io.Writer, text: []const u8) std.Io.Writer.Error!void {
    try out.writeAll("string \"");
    for (text) |byte| switch (byte) {
        0 => try out.writeAll("\\0"),
        '\n' => try out.writeAll("\\n"),
        '\r' => try out.writeAll("\\r"),
        '\t' => try out.writeAll("\\t"),
        '\\', '"' => try out.writeAll(&.{ '\\', byte }),
        1...8, 11, 12, 14...31, 127 => try out.print("\\u{{{x}}}", .{byte}),
        else => try out.writeByte(byte),
    };
    try out.writeByte('"');
}

/// What becomes of a record with this value, as text.
fn judged(call: *c.millrace_call, value: []const u8) []const u8 {
    const message = c.millrace_message_of(view(value));
    const verdict = transform(call, &message);
    const bytes = switch (verdict.kind) {
        c.MILLRACE_DROP => return "dropped",
        c.MILLRACE_FAIL => verdict.as.fail,
        else => verdict.as.replace.value.bytes,
    };
    return bytes.data[0..bytes.size];
}

test "a paid order gets its cents and keeps the rest, and a void one is dropped" {
    var call = c.millrace_begin("orders");
    defer c.millrace_end(&call);
    const head = "{ \"id\":1,\"customer\":\"\\u0063\",\"currency\":\"EUR\",\"tags\":[{}],\"amount\":";
    for ([_][2][]const u8{
        .{ "12.50", "1250" },  .{ "-0.0", "0" },    .{ "0.29", "29" },   .{ "0.125", "13" },
        .{ "-0.125", "-13" }, .{ "1.005", "100" }, .{ "1e3", "100000" }, .{ "90071992547409.92", "9007199254740992" },
    }) |case| {
        const order = print(&call, "{s}{s},\"status\":\"paid\" }} \n", .{ head, case[0] });
        const cleaned = print(&call, "{s}{s},\"status\":\"paid\" ,\"total_cents\":{s}}}", .{ head, case[0], case[1] });
        try std.testing.expectEqualStrings(cleaned, judged(&call, order));
        const nothing = print(&call, "{s}{s},\"status\":\"\\u0076oid\"}}", .{ head, case[0] });
        try std.testing.expectEqualStrings("dropped", judged(&call, nothing));
    }
}

test "what is no order fails and says why" {
    var call = c.millrace_begin("orders");
    defer c.millrace_end(&call);
    for ([_][2][]const u8{
        .{ "", "not JSON: EOF while parsing a value at line 1 column 0" },
        .{ "{}\n}", "not JSON: unexpected content after document at line 2 column 1" },
        .{ "{\"amount\":1e400}", "not JSON: number out of range at line 1 column 15" },
        .{ "\"\xff\"", "not UTF-8: invalid utf-8 sequence of 1 bytes from index 1" },
        .{ "\"\xe2\x82", "not UTF-8: incomplete utf-8 byte sequence from index 1" },
        .{ "\"\\ud800\"", "not JSON: half a surrogate pair in the string at line 1 column 2" },
        .{ "{\"\\udc00\":1}", "not JSON: half a surrogate pair in the string at line 1 column 3" },
        .{ "[\"\\ud800\x01\"]", "not JSON: no low surrogate in string at line 1 column 9" },
        .{ "{\"a\":[\"\\ud800\",\"\\\\\\udc00\\ud83c\\udf89\"]}", "not an order: missing field `id`" },
        .{ "42", "not an order: invalid type: integer `42`, expected struct Order" },
        .{ "1e21", "not an order: invalid type: floating point `1e+21`, expected struct Order" },
        .{ "\"a\\\"\\n\\u0001\"", "not an order: invalid type: string \"a\\\"\\n\\u{1}\", expected struct Order" },
        .{ "{}", "not an order: missing field `id`" },
        .{ "{\"id\":-1}", "not an order: invalid value: integer `-1`, expected u64" },
        .{ "{\"id\":-0}", "not an order: invalid type: floating point `-0.0`, expected u64" },
        .{ "{\"id\":1.0}", "not an order: invalid type: floating point `1.0`, expected u64" },
        .{ "{\"id\":1,\"id\":1}", "not an order: duplicate field `id`" },
        .{ "{\"total_cents\":null}", "not an order: `total_cents` is already there" },
        .{ "[1]", "not an order: invalid length 1, expected struct Order with 6 elements" },
        .{ "[1,\"c\",1,\"EUR\",\"paid\"]", "not an order: an array" },
    }) |case| try std.testing.expectEqualStrings(case[1], judged(&call, case[0]));
}
