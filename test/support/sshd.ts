/** A private sshd that lets one fresh key in, and the ssh client's options to reach it. */

import { mkdirSync, writeFileSync } from "node:fs";
import { runWell } from "./command.ts";
import { freePort } from "./free-port.ts";
import { LineLog } from "./line-log.ts";
import { scratchDir } from "./scratch-dir.ts";

export interface Sshd extends AsyncDisposable {
  readonly port: number;
  /** The `ssh` command, to which the caller adds options, `user@host` and a command. */
  readonly ssh: readonly string[];
  readonly user: string;
}

/** Starts sshd on 127.0.0.1; it answers when the promise resolves. */
export async function startSshd(): Promise<Sshd> {
  const scratch = scratchDir();
  // The directory into which Debian's sshd shuts its unprivileged half.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  await runWell(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", scratch.file("host")]);
  await runWell(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", scratch.file("key")]);
  const user = (await runWell(["id", "-un"])).text.trim();
  const port = freePort();
  writeFileSync(
    scratch.file("sshd_config"),
    `ListenAddress 127.0.0.1:${port}
HostKey ${scratch.file("host")}
AuthorizedKeysFile ${scratch.file("key.pub")}
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
`,
  );
  // sshd runs itself again for each connection, so it wants an absolute path.
  const child = Bun.spawn(["/usr/sbin/sshd", "-D", "-e", "-f", scratch.file("sshd_config")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const log = new LineLog("stderr of sshd");
  const ended = log.collect(child.stderr);
  await log.waitFor((line) => line.includes("Server listening"));
  const options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"];
  return {
    port,
    user,
    ssh: [
      "ssh",
      "-F",
      "none",
      "-i",
      scratch.file("key"),
      "-p",
      `${port}`,
      ...options.flatMap((option) => ["-o", option]),
    ],
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await child.exited;
      await ended;
      scratch[Symbol.dispose]();
    },
  };
}
