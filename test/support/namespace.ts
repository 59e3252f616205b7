/**
 * A network namespace with nothing but a loopback that is up. What runs in it reaches nobody, and routes and addresses
 * can be set at will. Needs Linux and root, or a kernel that lets users have user namespaces.
 */

import { LineLog } from "./line-log.ts";

export interface Namespace extends AsyncDisposable {
  /** Put before a command, this runs the command inside. */
  readonly prefix: readonly string[];
  /** Runs a command inside to its end; throws with its output when the status is not 0. Returns its stdout. */
  run(...command: string[]): Promise<string>;
}

/** Whether this machine lets us make namespaces with virtual devices in them: containers often do not. */
export function hasNamespaces(): boolean {
  if (Bun.which("unshare") === null || Bun.which("ip") === null) return false;
  const asRoot = process.getuid?.() === 0 ? [] : ["--map-root-user"];
  const device = ["ip", "link", "add", "near", "type", "veth", "peer", "name", "far"];
  return Bun.spawnSync(["unshare", ...asRoot, "--net", ...device], { stderr: "ignore" }).success;
}

/** Makes a namespace. It lives until it is disposed of, or this process ends. */
export async function createNamespace(): Promise<Namespace> {
  const isRoot = process.getuid?.() === 0;
  // The shell holds the namespace; `cat` ends when our end of its stdin does, however we end.
  const holder = Bun.spawn(
    [
      "unshare",
      ...(isRoot ? [] : ["--map-root-user"]),
      "--net",
      "sh",
      "-c",
      "ip link set lo up && echo up && exec cat",
    ],
    { stdin: "pipe", stdout: "pipe", stderr: "inherit" },
  );
  const log = new LineLog("stdout of the namespace's holder");
  const ended = log.collect(holder.stdout);
  await log.waitFor((line) => line === "up");

  const user = isRoot ? [] : [`--user=/proc/${holder.pid}/ns/user`, "--preserve-credentials"];
  const prefix = ["nsenter", `--net=/proc/${holder.pid}/ns/net`, ...user];
  return {
    prefix,
    run: async (...command) => {
      const child = Bun.spawn([...prefix, ...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
      const [status, stdout, stderr] = await Promise.all([
        child.exited,
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      if (status !== 0) throw new Error(`${command.join(" ")} ended with ${status}: ${stderr}${stdout}`);
      return stdout;
    },
    [Symbol.asyncDispose]: async () => {
      holder.stdin.end();
      await holder.exited;
      await ended;
    },
  };
}
