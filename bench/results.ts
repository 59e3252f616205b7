/** The data of one benchmark run, as it lies in bench/results. */

import type { Machine } from "./machine.ts";
import { type Summary, summarise } from "./statistics.ts";

/** One run of the load generator against one server. */
export interface Sample {
  readonly server: string;
  readonly workload: string;
  /** From 0. */
  readonly round: number;
  /** The generator's JSON line. */
  readonly load: Readonly<Record<string, unknown>>;
}

export interface Results {
  /** ISO 8601. */
  readonly began: string;
  /** What was typed. */
  readonly command: string;
  readonly rounds: number;
  /** How long one sample should last, in seconds. */
  readonly seconds: number;
  /** The load of the machine, averaged over a minute, when it began: other work disturbs. */
  readonly loadAverage: number;
  readonly machine: Machine;
  /** In the order in which they are shown. */
  readonly servers: readonly {
    readonly id: string;
    readonly title: string;
    readonly kind: "limit" | "ours" | "peer";
    readonly version: string;
  }[];
  readonly samples: readonly Sample[];
}

/** The number at `key` of a sample, keys joined by dots; undefined when there is none. */
export function numberAt(sample: Sample, key: string): number | undefined {
  let value: unknown = sample.load;
  for (const part of key.split(".")) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return typeof value === "number" ? value : undefined;
}

const samplesOf = (results: Results, workload: string, server: string): readonly Sample[] =>
  results.samples.filter((sample) => sample.workload === workload && sample.server === server);

/** Median and spread of one number over the rounds. */
export function summaryOf(results: Results, workload: string, server: string, key: string): Summary | undefined {
  const values = samplesOf(results, workload, server).map((sample) => numberAt(sample, key));
  return summarise(values.filter((value) => value !== undefined));
}

/**
 * Median and spread of one server's number over another's, round by round: what disturbs a round disturbs both, so the
 * ratio is steadier than its parts.
 */
export function ratioOf(
  results: Results,
  workload: string,
  key: string,
  server: string,
  reference: string,
): Summary | undefined {
  const references = new Map(samplesOf(results, workload, reference).map((sample) => [sample.round, sample]));
  const ratios: number[] = [];
  for (const sample of samplesOf(results, workload, server)) {
    const other = references.get(sample.round);
    const above = numberAt(sample, key);
    const below = other === undefined ? undefined : numberAt(other, key);
    if (above !== undefined && below !== undefined && below > 0) ratios.push(above / below);
  }
  return summarise(ratios);
}
