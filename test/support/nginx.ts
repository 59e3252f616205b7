/** A real nginx with a configuration of its own, in a directory of its own. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { LineLog } from "./line-log.ts";
import { type ScratchDir, scratchDir } from "./scratch-dir.ts";

export interface Nginx extends AsyncDisposable {
  /** On 127.0.0.1 and on ::1. */
  readonly port: number;
  /** The directory that is served, and into which PUT writes. */
  readonly directory: string;
}

/** Starts nginx; it answers when the promise resolves. Needs the program in PATH or in /usr/sbin. */
export async function startNginx(): Promise<Nginx> {
  const scratch: ScratchDir = scratchDir();
  const directory = scratch.file("www");
  mkdirSync(directory);
  const port = freePort();
  // One process: as root, a worker would run as a user who may not read the directory.
  writeFileSync(
    scratch.file("nginx.conf"),
    `daemon off; master_process off; pid nginx.pid; error_log stderr notice;
events { worker_connections 4096; }
http {
  access_log off;
  client_max_body_size 0;
  client_body_temp_path ${scratch.file("body")};
  proxy_temp_path ${scratch.file("proxy")};
  fastcgi_temp_path ${scratch.file("fastcgi")};
  uwsgi_temp_path ${scratch.file("uwsgi")};
  scgi_temp_path ${scratch.file("scgi")};
  server {
    listen 127.0.0.1:${port};
    listen [::1]:${port};
    root ${directory};
    location / { dav_methods PUT; }
    # What nginx sees of whoever asks.
    location = /seen { default_type text/plain; return 200 "$remote_addr $http_host\\n"; }
  }
}
`,
  );
  const path = `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin`;
  const program = Bun.which("nginx", { PATH: path });
  if (program === null) throw new Error("nginx is not installed: run test/interop/install-packages.sh");
  const child = Bun.spawn([program, "-e", "stderr", "-p", scratch.path, "-c", join(scratch.path, "nginx.conf")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const log = new LineLog("stderr of nginx");
  const ended = log.collect(child.stderr);
  // The listeners stand when it names its event method.
  await log.waitFor((line) => line.includes("event method"));
  return {
    port,
    directory,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await child.exited;
      await ended;
      scratch[Symbol.dispose]();
    },
  };
}
