/**
 * What one CONNECT costs in our own code: everything from the accept to the line of the access log, with sockets that do
 * nothing, so that the kernel and Bun's sockets are left out.
 *
 * usage: bun bench/micro/connection.ts [CONNECTIONS]     add --cpu-prof-md to bun for a profile
 */

import { inTurn, systemClock } from "../../src/net/system-clock.ts";
import { appendAccessLogLine } from "../../src/observe/access-log-line.ts";
import { JsonBytes } from "../../src/observe/json-bytes.ts";
import type { DialListener } from "../../src/ports/dialer.ts";
import type { ConnectedSocket, SocketOwner } from "../../src/ports/socket.ts";
import { TimerWheel } from "../../src/time/timer-wheel.ts";
import { fakeProxy } from "../../test/support/fake-proxy.ts";

const GREETING = Uint8Array.of(5, 1, 0);
const REQUEST = Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, 0, 80);
const PAYLOAD = new Uint8Array(64);
const CLIENT = { ip: Uint8Array.of(127, 0, 0, 1), port: 40_000 };
const LOCAL = { ip: Uint8Array.of(127, 0, 0, 1), port: 40_001 };

const NOBODY: SocketOwner = {
  handleData: () => undefined,
  handleDrain: () => undefined,
  handleEnd: () => undefined,
  handleClose: () => undefined,
};

/** Takes everything, and does nothing with it. */
class IdleSocket implements ConnectedSocket {
  readonly localAddress: string = "127.0.0.1";
  data: SocketOwner = NOBODY;
  write(bytes: Uint8Array): number {
    return bytes.length;
  }
  shutdown(): undefined {
    return undefined;
  }
  close(): void {
    this.data.handleClose(undefined);
  }
  terminate(): undefined {
    return undefined;
  }
  pause(): undefined {
    return undefined;
  }
  resume(): undefined {
    return undefined;
  }
  setKeepAlive(): boolean {
    return true;
  }
}

const line = new JsonBytes();
let bytesLogged = 0;
let dialled: DialListener | undefined;
const { server } = fakeProxy({
  capacity: 1_000_000,
  change: {
    clock: systemClock,
    wheel: new TimerWheel(systemClock),
    dialer: {
      dial: (_ip, _port, _options, listener) => {
        dialled = listener;
        return { cancel: () => undefined };
      },
    },
    events: {
      onRequestFinished: (record) => {
        line.cut(0);
        appendAccessLogLine(record, line);
        bytesLogged += line.length;
      },
      onLimitReached: () => undefined,
      onAuthenticationFailed: () => undefined,
      onFault: () => undefined,
      onAcceptPaused: () => undefined,
    },
  },
});

function connectOnce(): void {
  const client = new IdleSocket();
  const target = new IdleSocket();
  client.data = server.accept(client, CLIENT);
  client.data.handleData(GREETING);
  client.data.handleData(REQUEST);
  dialled?.onConnected(target, LOCAL);
  client.data.handleData(PAYLOAD);
  target.data.handleData(PAYLOAD);
  client.data.handleEnd();
  target.data.handleEnd();
  client.data.handleClose(undefined);
  target.data.handleClose(undefined);
}

const count = Number(process.argv[2] ?? 200_000);
for (let i = 0; i < 20_000; i++) connectOnce();
const times: number[] = [];
for (let round = 0; round < 5; round++) {
  // CPU time, of the collector's threads too: a busy machine changes it less than the clock on the wall.
  const before = process.cpuUsage();
  for (let i = 0; i < count / 5; i++) inTurn(connectOnce);
  const { user, system } = process.cpuUsage(before);
  times.push((user + system) / (count / 5));
}
if (server.concurrent() !== 0) throw new Error(`${server.concurrent()} connections are left`);
console.log(
  JSON.stringify({
    cpu_us_per_connection: Number((times.sort((a, b) => a - b)[2] ?? 0).toFixed(2)),
    log_bytes: bytesLogged,
  }),
);
process.exit(0);
