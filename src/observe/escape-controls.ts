/** Everything that may end a line or steer a terminal: C0, DEL, C1 (U+009B begins a sequence as ESC [ does), separators. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is control characters that are to go.
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/**
 * Names come from clients: none may end the line, or steer the terminal on which somebody reads it. The escapes are those of
 * JSON, so that a JSON text stays one, of the same meaning.
 */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
