/**
 * Preloaded into a program that is to be profiled: SIGUSR2 starts sampling, the next one ends it and writes the functions
 * that were running, most often first, as JSON to the file that SAMPLES_FILE names: `[[function, place, samples], …]`.
 */

import { renameSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector";

const SAMPLE_US = 500;
const file = process.env["SAMPLES_FILE"] ?? "samples.json";

interface ProfileNode {
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly hitCount?: number;
}

const session = new Session();
session.connect();
session.post("Profiler.enable");
session.post("Profiler.setSamplingInterval", { interval: SAMPLE_US });

let isSampling = false;
process.on("SIGUSR2", () => {
  isSampling = !isSampling;
  if (isSampling) {
    session.post("Profiler.start");
    return;
  }
  session.post("Profiler.stop", (fault: Error | null, result: { profile: { nodes: readonly ProfileNode[] } }) => {
    if (fault !== null) throw fault;
    const sums = new Map<string, number>();
    for (const { callFrame, hitCount = 0 } of result.profile.nodes) {
      const { functionName, url, lineNumber } = callFrame;
      const place = url === "" ? "native" : `${url.replace(/^file:\/\//, "")}:${lineNumber + 1}`;
      const key = JSON.stringify([functionName, place]);
      sums.set(key, (sums.get(key) ?? 0) + hitCount);
    }
    const rows = [...sums].sort((a, b) => b[1] - a[1]).map(([key, hits]) => [...(JSON.parse(key) as string[]), hits]);
    // Whoever waits for the file must not see a part of it.
    writeFileSync(`${file}.part`, JSON.stringify(rows));
    renameSync(`${file}.part`, file);
  });
});
