/** One thing that the operator got wrong, in the form in which all of them are reported together. */
export interface Mistake {
  /** Where: a key of the file ("socks.port"), an option ("--port"), or a place in a file ("sockeye.toml:3:7"). */
  readonly path: string;
  /** What stands there, for display. `undefined` where nothing stands there, or where it may hold a password. */
  readonly value: string | undefined;
  /** What was wanted instead. */
  readonly wanted: string;
}

/** "socks.port is 70000; wanted: an integer from 0 to 65535". One line. */
export function formatMistake({ path, value, wanted }: Mistake): string {
  return value === undefined ? `${path}: ${wanted}` : `${path} is ${value}; wanted: ${wanted}`;
}

/** The longest value that is repeated in a message, in characters. */
const SHOWN_MAX = 80;

/** How a value is shown in a mistake: tables and arrays by their kind only, since a password may be inside. */
export function displayValue(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (value instanceof Date) return "a date";
  if (typeof value === "object" && value !== null) return "a table";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
