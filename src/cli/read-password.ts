/** Asking for a password: twice and without echo on a terminal, once from anything else. */

export type PasswordAnswer =
  | { readonly kind: "password"; readonly password: string }
  | { readonly kind: "refused"; readonly reason: string };

export async function readPassword(): Promise<PasswordAnswer> {
  if (!process.stdin.isTTY) {
    const text = await Bun.stdin.text();
    return { kind: "password", password: text.replace(/\r?\n$/, "") };
  }
  const keys = new TerminalKeys();
  try {
    const first = await keys.readLine("Password: ");
    const second = first === undefined ? undefined : await keys.readLine("Again: ");
    if (first === undefined || second === undefined) return { kind: "refused", reason: "interrupted" };
    if (first !== second) return { kind: "refused", reason: "the two are not the same" };
    return { kind: "password", password: first };
  } finally {
    keys.close();
  }
}

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const CTRL_U = "\u0015";
const BACKSPACES = ["\b", "\u007f"];

/** Lines typed on a terminal that shows none of them. */
class TerminalKeys {
  /** Typed and not used yet. BOUNDED by what a person types. */
  #typed: string[] = [];
  #wake: (() => void) | undefined;

  constructor() {
    process.stdin.setRawMode(true);
    process.stdin.setEncoding("utf8");
    process.stdin.on("data", (text: string) => {
      this.#typed.push(...text);
      this.#wake?.();
    });
  }

  /** `undefined` when it was broken off. */
  async readLine(prompt: string): Promise<string | undefined> {
    process.stderr.write(prompt);
    const line = await this.#collect();
    process.stderr.write("\n");
    return line;
  }

  close(): void {
    process.stdin.setRawMode(false);
    process.stdin.pause();
  }

  async #collect(): Promise<string | undefined> {
    const line: string[] = [];
    for (;;) {
      const key = this.#typed.shift();
      if (key === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
      else if (key === "\r" || key === "\n") return line.join("");
      else if (key === CTRL_C || (key === CTRL_D && line.length === 0)) return undefined;
      else if (key === CTRL_U) line.length = 0;
      else if (BACKSPACES.includes(key)) line.pop();
      else if (key !== CTRL_D) line.push(key);
    }
  }
}
