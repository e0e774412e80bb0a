// The environment: empty but for what the pipeline allows (`--allow env:NAME`).

let read = () => globalThis.process?.env ?? {};
let variables;

/** Where the variables come from instead, once, when the first is asked for. */
export function readEnvironment(how) {
  read = how;
}

/** The value of a variable, or undefined. */
export function env(name) {
  variables ??= read();
  return Object.hasOwn(variables, name) ? variables[name] : undefined;
}
