// Cleans orders, as JSON: `void` ones are dropped, the others get `total_cents` and go
// out as they came otherwise.

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
  note?: string;
}

const WITHOUT_VALUES = '{"id":,"customer":"","amount":,"currency":"","status":""}'.length;
const WITH_NOTE = WITHOUT_VALUES + ',"note":""'.length;

/**
 * Whether it is an order beyond doubt: all fields as they should be, and nothing in the
 * text but them. That is seen by its length: what is left of it for the amount is just
 * that, and would be more with white space, an escape or a field that is named twice.
 */
function isPlain(value: unknown, text: string): value is Order {
  const order = value as Partial<Record<keyof Order | "total_cents", unknown>> | null;
  if (
    typeof order?.id !== "number" ||
    typeof order.customer !== "string" ||
    typeof order.amount !== "number" ||
    typeof order.currency !== "string" ||
    typeof order.status !== "string"
  ) {
    return false;
  }
  const { id, customer, amount, currency, status, note } = order;
  const idAt = `"id":${id},`; // and not 1e0
  let rest = text.length - idAt.length + 6 - customer.length - currency.length - status.length;
  if (typeof note === "string") {
    rest -= WITH_NOTE + note.length;
  } else {
    rest -= WITHOUT_VALUES;
  }
  const at = text.indexOf('"amount":') + 9;
  const end = text[at + rest];
  return (
    (end === "," || end === "}") &&
    rest > 0 &&
    Number(text.slice(at, at + rest)) === amount &&
    id >= 0 &&
    Number.isSafeInteger(id) &&
    Math.abs(amount) < Infinity &&
    text.includes(idAt)
  );
}

/** Half away from zero. */
function round(value: number): number {
  const whole = Math.trunc(value);
  return Math.abs(value - whole) < 0.5 ? whole : whole + Math.sign(value);
}

export default transform(judge);
