/**
 * Results as Markdown: a table for each workload, and how the project's aims stand.
 *
 * usage: bun bench/report.ts RESULTS.json …      writes docs/benchmarks.md, a part for each file; the charts are those of the last
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

import { standings } from "./aims.ts";
import { plot } from "./plot.ts";
import { type Results, summaryOf } from "./results.ts";
import type { Summary } from "./statistics.ts";
import { type Metric, WORKLOADS, type Workload } from "./workloads.ts";

/** A number with thousands separated, and the spread behind it when there are several rounds. */
function shown(summary: Summary | undefined, digits: number): string {
  if (summary === undefined) return "–";
  const text = (value: number): string =>
    value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const { median, min, max } = summary;
  return text(min) === text(max) ? text(median) : `${text(median)} (${text(min)} – ${text(max)})`;
}

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

/** Draws one chart and returns what shows it in the page. */
export type Draw = (workload: Workload, metric: Metric) => string | undefined;

function tableOf(results: Results, workload: Workload, draw: Draw): string[] {
  const lines: string[] = [];
  for (const server of results.servers) {
    const cells = workload.metrics.map((metric) => {
      if (server.id === "direct" && metric.proxiesOnly) return "–";
      return shown(summaryOf(results, workload.id, server.id, metric.key), metric.digits);
    });
    if (cells.some((cell) => cell !== "–")) lines.push(row([server.title, ...cells]));
  }
  if (lines.length === 0) return [];
  return [
    `### ${workload.title}`,
    "",
    row(["", ...workload.metrics.map((metric) => metric.title)]),
    row(["---", ...workload.metrics.map(() => "---:")]),
    ...lines,
    "",
    ...workload.metrics.filter((metric) => metric.plotted).flatMap((metric) => draw(workload, metric) ?? []),
    "",
  ];
}

function aims(results: Results): string[] {
  const lines = standings(results).map(({ text, reference, value, limit, isReached }) =>
    row([text, reference, shown(value, 2), limit, isReached ? "yes" : "not yet"]),
  );
  if (lines.length === 0) return [];
  return [
    "### Sockeye and its aims",
    "",
    "Ratios are taken round by round, then the median of them.",
    "",
    row(["", "divided by", "value", "aim", "reached"]),
    row(["---", "---", "---:", "---", "---"]),
    ...lines,
    "",
  ];
}

/** The whole report, a heading of level 2 above everything. Without `draw` there are no charts. */
export function report(results: Results, draw: Draw = () => undefined): string {
  const { machine } = results;
  const versions = results.servers.filter((server) => server.version !== "");
  return [
    `## ${results.began.slice(0, 10)}: ${machine.cpu}, ${machine.cores} cores`,
    "",
    `\`${results.command}\`, ${results.rounds} rounds of ${results.seconds} s a sample, on Linux ${machine.kernel} with`,
    `${machine.memoryGib} GiB and Bun ${machine.bun}; the machine's load average was ${results.loadAverage.toFixed(2)} when it began.`,
    `Medians, and in brackets the lowest and the highest round. ${versions.map((server) => `${server.title} ${server.version}`).join(", ")}.`,
    "",
    ...aims(results),
    ...WORKLOADS.flatMap((workload) => tableOf(results, workload, draw)),
  ].join("\n");
}

const root = join(import.meta.dir, "..");
const docs = join(root, "docs");

/** Writes a chart into docs/benchmarks. */
function drawInto(results: Results): Draw {
  mkdirSync(join(docs, "benchmarks"), { recursive: true });
  return (workload, metric) => {
    const svg = plot(results, workload, metric);
    if (svg === undefined) return undefined;
    const path = `benchmarks/${workload.id}-${metric.key.replaceAll(/[._]/g, "-")}.svg`;
    writeFileSync(join(docs, path), svg);
    return `![${workload.title}: ${metric.title}](${path})\n`;
  };
}

/** One file of results, and where it is. */
interface ResultsFile {
  readonly path: string;
  readonly results: Results;
}

/** docs/benchmarks.md. */
function page(files: readonly ResultsFile[]): string {
  const parts = files.map(({ path, results }, index) => {
    const text = report(results, index === files.length - 1 ? drawInto(results) : undefined);
    const busy =
      results.loadAverage > 1
        ? " **Other work ran on the machine meanwhile**: CPU and memory stand, rates and percentiles say more about the machine."
        : "";
    return `${text}\n\nThe data are in [${relative(root, path)}](../${relative(root, path)}).${busy}\n`;
  });
  return [
    "# Benchmarks",
    "",
    "What Sockeye costs, beside the least that a relay can cost and beside other proxies, each part in one run of `npm run bench` on one",
    "machine. [The method](../bench/METHOD.md) says what is measured, what a column means, what it cannot show, and why a long run of many",
    "workloads is harder on a program that is compiled as it runs than a short one.",
    "",
    ...parts,
  ].join("\n");
}

if (import.meta.main) {
  const paths = process.argv.slice(2);
  if (paths.length === 0) {
    process.stderr.write("usage: bun bench/report.ts RESULTS.json …\n");
    process.exit(2);
  }
  const files = await Promise.all(
    paths.map(async (path) => ({ path, results: (await Bun.file(path).json()) as Results })),
  );
  const target = join(docs, "benchmarks.md");
  writeFileSync(target, page(files));
  // The formatter aligns the tables as it wants to find them.
  const { exitCode, stderr } = Bun.spawnSync(["npx", "biome", "format", "--write", target]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}
