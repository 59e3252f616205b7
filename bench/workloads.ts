/** What is measured, and how its samples read. */

import type { Ability } from "./servers.ts";

/** One run of the load generator. */
export interface Workload {
  readonly id: string;
  readonly title: string;
  /** What the server must be able to do. */
  readonly needs?: Ability;
  /** Wants a server of its own, since memory is not given back. */
  readonly fresh?: true;
  /** Part of `--quick`. */
  readonly quick: boolean;
  /** Leaves the direct connection out: there is no server to look at. */
  readonly proxiesOnly?: true;
  /** Arguments of the load generator; `seconds` is how long a round should last. */
  args(seconds: number): readonly string[];
  /** The columns of the workload's table. */
  readonly metrics: readonly Metric[];
}

/** One number of a sample. */
export interface Metric {
  readonly title: string;
  /** Where it stands in the JSON line, keys joined by dots. */
  readonly key: string;
  readonly digits: number;
  /** Means nothing without a proxy in between. */
  readonly proxiesOnly?: true;
  readonly higherIsBetter?: true;
  /** Drawn in the docs. */
  readonly plotted?: true;
}

const RATE: Metric = { title: "per second", key: "per_second", digits: 0, higherIsBetter: true };
const CPU_EACH: Metric = { title: "CPU µs each", key: "cpu_us_each", digits: 1, proxiesOnly: true, plotted: true };
const P50: Metric = { title: "p50 µs", key: "latency_us.p50", digits: 0 };
const P99: Metric = { title: "p99 µs", key: "latency_us.p99", digits: 0 };
const GIB: Metric = { title: "GiB/s", key: "gib_per_second", digits: 2, higherIsBetter: true };
const CPU_GIB: Metric = { title: "CPU s/GiB", key: "cpu_s_per_gib", digits: 3, proxiesOnly: true, plotted: true };

/** So many connections last about a second through a proxy in C on a machine of 2026. */
const CONNECTIONS_A_SECOND = 8000;

const connections = (concurrency: number, aSecond: number) => (seconds: number) => [
  ...["conn", "--concurrency", `${concurrency}`, "--count", `${Math.round(aSecond * seconds)}`],
];
const bulk = (streams: number, direction: string): Workload => ({
  id: `bulk-${direction}-${streams}`,
  title: `Bulk ${direction}, ${streams} ${streams === 1 ? "stream" : "streams"}`,
  quick: direction === "down" && streams === 8,
  args: (seconds) => ["bulk", "--concurrency", `${streams}`, "--direction", direction, "--seconds", `${seconds}`],
  metrics: [{ ...GIB, plotted: true }, CPU_GIB],
});
const echo = (tunnels: number): Workload => ({
  id: `echo-${tunnels}`,
  title: `Echo of 64 bytes on ${tunnels} ${tunnels === 1 ? "tunnel" : "tunnels"}`,
  quick: tunnels === 100,
  args: (seconds) => ["echo", "--concurrency", `${tunnels}`, "--bytes", "64", "--seconds", `${seconds}`],
  metrics: [RATE, CPU_EACH, P50, P99],
});

const datagrams = (associations: number, bytes: number): Workload => ({
  id: `udp-${associations}-${bytes}`,
  title: `Datagrams of ${bytes.toLocaleString("en-US")} bytes, there and back, through ${associations} ${associations === 1 ? "association" : "associations"}`,
  needs: "udp",
  quick: false,
  args: (seconds) => [...["udp", "--concurrency", `${associations}`, "--bytes", `${bytes}`, "--seconds", `${seconds}`]],
  metrics: [RATE, CPU_EACH, { title: "lost %", key: "loss_percent", digits: 2 }],
});

const idle = (tunnels: number): Workload => ({
  id: tunnels === 4000 ? "idle" : `idle-${tunnels}`,
  title: `Memory of ${tunnels.toLocaleString("en-US")} idle tunnels`,
  fresh: true,
  proxiesOnly: true,
  quick: tunnels === 4000,
  args: () => ["idle", "--count", `${tunnels}`],
  metrics: [
    { title: "KiB a tunnel", key: "kib_per_tunnel", digits: 2, plotted: true },
    { title: "descriptors a tunnel", key: "descriptors_per_tunnel", digits: 2 },
    { title: "MiB in all", key: "rss_mib", digits: 1 },
    { title: "not opened", key: "failed", digits: 0 },
  ],
});

export const WORKLOADS: readonly Workload[] = [
  {
    id: "conn",
    title: "Connections: handshake, CONNECT, one byte there and back, close; 50 at once",
    quick: true,
    args: connections(50, CONNECTIONS_A_SECOND),
    metrics: [{ ...RATE, plotted: true }, CPU_EACH, P50, P99],
  },
  {
    id: "conn-user",
    title: "Connections with user and password",
    needs: "users",
    quick: true,
    args: connections(50, CONNECTIONS_A_SECOND),
    metrics: [RATE, CPU_EACH, P50, P99],
  },
  {
    id: "conn-name",
    title: "Connections by name (localhost)",
    needs: "names",
    quick: false,
    args: (seconds) => [...connections(50, CONNECTIONS_A_SECOND / 4)(seconds), "--name", "localhost"],
    metrics: [RATE, CPU_EACH, P50, P99],
  },
  {
    id: "first-byte",
    title: "Time to first byte: connections one after the other",
    quick: false,
    args: connections(1, CONNECTIONS_A_SECOND / 4),
    metrics: [P50, P99],
  },
  echo(1),
  echo(100),
  bulk(1, "down"),
  bulk(8, "down"),
  bulk(1, "up"),
  bulk(8, "up"),
  bulk(1, "both"),
  bulk(8, "both"),
  datagrams(1, 64),
  datagrams(1, 1200),
  datagrams(100, 64),
  datagrams(100, 1200),
  idle(4000),
  idle(9000),
];
