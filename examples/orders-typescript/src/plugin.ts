// Cleans orders, as JSON: `void` ones are dropped, the others get `total_cents` and go
// out as they came otherwise. It does what plugins/orders does in Rust, to the byte.

import { type Message, type Verdict, drop, output, reject, transform } from "#millrace";
import { expectOrder } from "./order.js";

function judge(message: Message): Verdict {
  const text = textOf(message);
  const order = parse(text);
  // Most orders are seen to be some at a glance; what is odd is read member by member.
  const { amount, status } = isPlain(order, text) ? order : expectOrder(text);
  if (status === "void") {
    return drop;
  }
  const cents = round(amount * 100);
  if (Math.abs(cents) > 2 ** 53) {
    return reject(`not an order: amount ${amount.toExponential().replace("+", "")} is too large`);
  }
  // The text is kept, not written anew: nothing of it changes, and it is faster.
  return output({ value: `${text.slice(0, text.lastIndexOf("}"))},"total_cents":${cents}}` });
}

function textOf(message: Message): string {
  try {
    return message.text();
  } catch (error) {
    return reject((error as Error).message.replace(/^the value is not UTF-8/, "not UTF-8"));
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return reject(`not JSON: ${(error as Error).message}`);
  }
}

interface Order {
  id: number;
  customer: string;
  amount: number;
  currency: string;
  status: string;
}

/**
 * Whether it is an order beyond doubt: all fields as they should be, and none of them
 * twice. That is seen by the quotes: two for each name, two for each text, and where one
 * is named twice, or a quote is escaped, there are more.
 */
function isPlain(value: unknown, text: string): value is Order {
  const order = value as Partial<Record<keyof Order | "total_cents", unknown>> | null;
  return (
    typeof order?.id === "number" &&
    typeof order.customer === "string" &&
    typeof order.amount === "number" &&
    typeof order.currency === "string" &&
    typeof order.status === "string" &&
    order.total_cents === undefined &&
    order.id >= 0 &&
    order.id <= Number.MAX_SAFE_INTEGER &&
    Math.abs(order.amount) < Infinity &&
    text.includes(`"id":${order.id},`) && // and not 1.0
    text.split('"').length - 1 === quotes(order as Order) &&
    `${order.customer} ${order.currency} ${order.status}`.isWellFormed()
  );
}

/** How many quotes the names and texts of a flat object need; NaN where it is not flat. */
function quotes(order: Order & { note?: unknown }): number {
  const others = Object.keys(order).length - 5;
  if (others === 0 || (others === 1 && typeof order.note === "string")) {
    return 16 + 4 * others;
  }
  let count = 0;
  for (const value of Object.values(order)) {
    count += typeof value === "string" ? 4 : typeof value === "object" && value !== null ? NaN : 2;
  }
  return count;
}

/** Half away from zero. */
function round(value: number): number {
  const whole = Math.trunc(value);
  return Math.abs(value - whole) < 0.5 ? whole : whole + Math.sign(value);
}

export default transform(judge);
