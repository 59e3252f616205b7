/**
 * Doubles the relay buffer of a running proxy while many clients are connected, and sets it back when they have gone.
 *
 *     SOCKEYE_ADMIN_PASSWORD=secret bun examples/steer-while-it-runs.ts
 */

import { AdminError, AdminErrorCode, connectAdmin } from "sockeye/admin";

const MANY_CLIENTS = 100;
const USUAL_BYTES = 65_536;

const { env } = process;
const admin = await connectAdmin({
  host: env["SOCKEYE_ADMIN_HOST"] ?? "127.0.0.1",
  port: Number(env["SOCKEYE_ADMIN_PORT"] ?? 8080),
  udpPort: Number(env["SOCKEYE_ADMIN_UDP_PORT"] ?? 9899),
  username: env["SOCKEYE_ADMIN_USER"] ?? "admin",
  password: env["SOCKEYE_ADMIN_PASSWORD"] ?? "",
});

try {
  const [historical, concurrent, bytes] = await Promise.all([admin.historical(), admin.concurrent(), admin.bytes()]);
  console.log(`${historical} clients so far, ${concurrent} now, ${bytes} bytes relayed`);
  const wanted = concurrent > MANY_CLIENTS ? 2 * USUAL_BYTES : USUAL_BYTES;
  console.log(`the relay buffer is ${await admin.setBufferSize(wanted)} bytes`);
} catch (error) {
  if (!(error instanceof AdminError)) throw error;
  console.error(error.message);
  // A program can tell why: here, whether it is worth trying again.
  process.exitCode = error.code === AdminErrorCode.Unreachable || error.code === AdminErrorCode.Gone ? 75 : 1;
}
