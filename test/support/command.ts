/** A program that runs to its end. */

export interface Outcome {
  readonly status: number;
  readonly stdout: Uint8Array;
  /** {@link stdout} as text. */
  readonly text: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Runs a program without proxy settings from the environment, and collects what it writes. */
export async function run(command: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
  const env: Record<string, string | undefined> = { ...process.env, ...options.env };
  for (const name of Object.keys(env)) if (/^(https?|all|no|ftp)_proxy$/i.test(name)) delete env[name];
  const { stdin = "", cwd } = options;
  const child = Bun.spawn([...command], {
    env,
    ...(cwd === undefined ? {} : { cwd }),
    stdin: typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [status, stdout, stderr] = await Promise.all([
    child.exited,
    new Response(child.stdout).bytes(),
    new Response(child.stderr).text(),
  ]);
  return { status, stdout, text: new TextDecoder().decode(stdout), stderr };
}

/** As {@link run}, and throws with what the program said when its status is not 0. */
export async function runWell(command: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
  const outcome = await run(command, options);
  if (outcome.status !== 0) {
    throw new Error(`${command.join(" ")} ended with ${outcome.status}: ${outcome.stderr}${outcome.text}`);
  }
  return outcome;
}
