// An error's stack in the places of the user's own files. In a component the code is
// one bundle, whose source map's mappings the build leaves in `globalThis.__millrace`.

/** At most so many functions are told of. */
const MOST = 8;

/** The functions that an error came through, innermost first, without the SDK's own. */
export function frames(error) {
  const map = globalThis.__millrace?.map;
  if (map === undefined || typeof error.stack !== "string") {
    return []; // In Node the error itself says it better.
  }
  map.lines ??= readMappings(map.mappings);
  const found = [];
  for (const line of error.stack.split("\n")) {
    const parts = /^ *at (?:(.*) \()?.*?:(\d+):(\d+)\)?$/.exec(line);
    const place = parts && original(map, Number(parts[2]) - map.offset, Number(parts[3]));
    if (place && !place.startsWith("sdk:")) {
      const name = parts[1] ?? "<anonymous>";
      found.push(name === "<anonymous>" ? place : `${name} (${place})`);
      if (found.length === MOST) {
        break;
      }
    }
  }
  return found;
}

/** `FILE:LINE:COLUMN`, all from 1, or undefined. */
function original(map, line, column) {
  let best;
  for (const segment of map.lines[line - 1] ?? []) {
    if (segment[0] > column - 1) {
      break;
    }
    best = segment;
  }
  return best && `${map.sources[best[1]]}:${best[2] + 1}:${best[3] + 1}`;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** A source map's `mappings` (base64 VLQ): for each line [column, source, line, column]. */
export function readMappings(mappings) {
  let source = 0;
  let line = 0;
  let column = 0;
  return mappings.split(";").map((text) => {
    let generated = 0;
    const segments = [];
    for (const part of text === "" ? [] : text.split(",")) {
      const numbers = readNumbers(part);
      generated += numbers[0];
      if (numbers.length > 1) {
        source += numbers[1];
        line += numbers[2];
        column += numbers[3];
        segments.push([generated, source, line, column]);
      }
    }
    return segments;
  });
}

function readNumbers(part) {
  const numbers = [];
  let value = 0;
  let shift = 0;
  for (const digit of part) {
    const bits = DIGITS.indexOf(digit);
    value |= (bits & 31) << shift;
    shift += 5;
    if ((bits & 32) === 0) {
      numbers.push(value & 1 ? -(value >>> 1) : value >>> 1);
      value = 0;
      shift = 0;
    }
  }
  return numbers;
}
