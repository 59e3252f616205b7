import { build } from "./build.ts";
import { adopt } from "./children.ts";

/** The server behind the proxies: echoes, gives, or takes, as each connection asks for. */
export interface Origin {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts the origin of the load generator. */
export async function startOrigin(): Promise<Origin> {
  const child = adopt(Bun.spawn([build("load"), "origin"], { stdin: "ignore", stdout: "pipe", stderr: "inherit" }));
  const { value } = await child.stdout.getReader().read();
  return {
    port: Number(new TextDecoder().decode(value)),
    stop: async () => {
      child.kill();
      await child.exited;
    },
  };
}
