/** What the project aims at, and whether the results of a run reach it. */

import { numberAt, type Results, ratioOf, type Sample } from "./results.ts";
import { type Summary, summarise } from "./statistics.ts";

/** One aim. `atMost` or `atLeast` is for Sockeye's number divided by the reference's, or for the number itself. */
interface Aim {
  readonly text: string;
  readonly workload: string;
  readonly key: string;
  /** A server, or the best of the peers, or nothing: the number counts as it is. */
  readonly reference?: string;
  /** Whose number it is, when not Sockeye's with its defaults. */
  readonly server?: string;
  readonly limit: { readonly atMost: number } | { readonly atLeast: number };
}

const BEST_PEER = "best peer";
const CPU = "cpu_us_each";
const CPU_GIB = "cpu_s_per_gib";

const AIMS: readonly Aim[] = [
  {
    text: "CPU a connection",
    workload: "conn",
    key: CPU,
    reference: "bun-prototype",
    limit: { atMost: 1.3 },
  },
  {
    text: "CPU an echo, 100 tunnels",
    workload: "echo-100",
    key: CPU,
    reference: "bun-prototype",
    limit: { atMost: 1.3 },
  },
  { text: "CPU a connection", workload: "conn", key: CPU, reference: "epoll-floor", limit: { atMost: 1.25 } },
  {
    text: "CPU an echo, 100 tunnels",
    workload: "echo-100",
    key: CPU,
    reference: "epoll-floor",
    limit: { atMost: 1.25 },
  },
  {
    text: "CPU a GiB, 1 stream down",
    workload: "bulk-down-1",
    key: CPU_GIB,
    reference: "splice-floor",
    limit: { atMost: 1.3 },
  },
  {
    text: "CPU a GiB, 8 streams down",
    workload: "bulk-down-8",
    key: CPU_GIB,
    reference: "splice-floor",
    limit: { atMost: 1.3 },
  },
  {
    text: "connections a second",
    workload: "conn",
    key: "per_second",
    reference: BEST_PEER,
    limit: { atLeast: 1 },
  },
  {
    text: "GiB/s, 1 stream down",
    workload: "bulk-down-1",
    key: "gib_per_second",
    reference: BEST_PEER,
    limit: { atLeast: 1 },
  },
  {
    text: "GiB/s, 8 streams down",
    workload: "bulk-down-8",
    key: "gib_per_second",
    reference: BEST_PEER,
    limit: { atLeast: 1 },
  },
  {
    text: "99th percentile of an echo, 100 tunnels",
    workload: "echo-100",
    key: "latency_us.p99",
    reference: BEST_PEER,
    limit: { atMost: 1 },
  },
  {
    text: "connections a second, 2 workers",
    workload: "conn",
    key: "per_second",
    server: "sockeye-2",
    reference: "sockeye",
    limit: { atLeast: 1.6 },
  },
  { text: "KiB an idle tunnel, 4,000 of them", workload: "idle", key: "kib_per_tunnel", limit: { atMost: 2 } },
  { text: "KiB an idle tunnel, 9,000 of them", workload: "idle-9000", key: "kib_per_tunnel", limit: { atMost: 2 } },
  {
    text: "descriptors an idle tunnel, 9,000 of them",
    workload: "idle-9000",
    key: "descriptors_per_tunnel",
    // A pool of pipes, or a log that was opened meanwhile, is nobody's tunnel.
    limit: { atMost: 2.01 },
  },
];

/** How one aim stands. */
export interface Standing {
  readonly text: string;
  /** Empty where the number counts as it is. */
  readonly reference: string;
  readonly value: Summary;
  /** "at most 1.3". */
  readonly limit: string;
  readonly isReached: boolean;
}

/** Ours over the best peer's, round by round. */
function overBestPeer(results: Results, aim: Aim): Summary | undefined {
  const higherIsBetter = "atLeast" in aim.limit;
  const peers = new Set(results.servers.filter(({ kind }) => kind === "peer").map(({ id }) => id));
  const ours: Sample[] = results.samples.filter(
    ({ workload, server }) => workload === aim.workload && server === (aim.server ?? "sockeye"),
  );
  const ratios = ours.flatMap((sample) => {
    const theirs = results.samples
      .filter((other) => other.workload === aim.workload && other.round === sample.round && peers.has(other.server))
      .map((other) => numberAt(other, aim.key))
      .filter((value) => value !== undefined && value > 0);
    const value = numberAt(sample, aim.key);
    if (value === undefined || theirs.length === 0) return [];
    return [value / (higherIsBetter ? Math.max(...(theirs as number[])) : Math.min(...(theirs as number[])))];
  });
  return summarise(ratios);
}

function measured(results: Results, aim: Aim): Summary | undefined {
  const server = aim.server ?? "sockeye";
  if (aim.reference === BEST_PEER) return overBestPeer(results, aim);
  if (aim.reference !== undefined) return ratioOf(results, aim.workload, aim.key, server, aim.reference);
  const samples = results.samples.filter((sample) => sample.workload === aim.workload && sample.server === server);
  return summarise(samples.map((sample) => numberAt(sample, aim.key)).filter((value) => value !== undefined));
}

/** How the aims stand that the results say something about. */
export function standings(results: Results): Standing[] {
  const title = (id: string): string => results.servers.find((server) => server.id === id)?.title ?? id;
  return AIMS.flatMap((aim) => {
    const value = measured(results, aim);
    if (value === undefined) return [];
    const { limit } = aim;
    return [
      {
        text: aim.text,
        reference: aim.reference === undefined ? "" : title(aim.reference),
        value,
        limit: "atMost" in limit ? `at most ${limit.atMost}` : `at least ${limit.atLeast}`,
        isReached: "atMost" in limit ? value.median <= limit.atMost : value.median >= limit.atLeast,
      },
    ];
  });
}
