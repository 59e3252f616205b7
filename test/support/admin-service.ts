/** The admin protocol's server on SCTP in UDP, in this process, with a proxy that the test plays. */

import { createCredentialsCheck } from "../../src/admin/credentials.ts";
import { ADMIN_LIMITS, type AdminLimits } from "../../src/admin/limits.ts";
import { AdminServer } from "../../src/admin/server.ts";
import { passwordHasher } from "../../src/net/password-hasher.ts";
import { listenUdpSctp } from "../../src/net/sctp-udp.ts";
import { systemClock } from "../../src/net/system-clock.ts";
import type { AdminEvent } from "../../src/ports/admin-events.ts";
import { ManualControl } from "./manual-control.ts";
import { SilentLog } from "./silent-log.ts";

export interface AdminService extends Disposable {
  readonly control: ManualControl;
  /** UNBOUNDED: a test's output. */
  readonly events: readonly AdminEvent[];
  readonly server: AdminServer;
  readonly host: string;
  /** SCTP port. */
  readonly port: number;
  readonly udpPort: number;
}

/** Starts a server whose administrator is `root` with the password `secret`. */
export async function startAdminService(limits: Partial<AdminLimits> = {}): Promise<AdminService> {
  const control = new ManualControl();
  const events: AdminEvent[] = [];
  const server = new AdminServer({
    control,
    clock: systemClock,
    limits: { ...ADMIN_LIMITS, ...limits },
    events: (event) => events.push(event),
    credentials: createCredentialsCheck(
      { name: "root", secret: { kind: "plain", password: "secret" } },
      passwordHasher,
    ),
  });
  const target = { transport: "udp" as const, address: "127.0.0.1", port: 0, udpPort: 0, associationsMax: 256 };
  const listener = await listenUdpSctp({ ...target, clock: systemClock, log: new SilentLog() }, server.accept);
  const { address, port, udpPort = 0 } = listener.local;
  return { control, events, server, host: address, port, udpPort, [Symbol.dispose]: () => listener.destroy() };
}
