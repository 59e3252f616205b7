/**
 * Bar charts as SVG, written by hand: a row for each server, its median as a bar, its spread as a line over it. A chart
 * library would be a larger dependency than everything that it would draw here.
 */

import { type Results, summaryOf } from "./results.ts";
import type { Summary } from "./statistics.ts";
import type { Metric, Workload } from "./workloads.ts";

/** One bar. */
interface Bar {
  readonly label: string;
  readonly summary: Summary;
  readonly colour: "ours" | "limit" | "peer";
}

const WIDTH = 760;
const LABEL_WIDTH = 230;
const VALUE_WIDTH = 90;
const TOP = 48;
const ROW = 26;
const BAR = 14;
const TRACK = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
/** A bar longer than so many of ours is cut, so that one slow server does not make all others look alike. */
const CUT_AT = 4;

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 14px }
  .note, .value { fill: #59636e }
  .value { font-variant-numeric: tabular-nums }
  .ours { fill: #d1495b } .limit { fill: #b6bec8 } .peer { fill: #3d6fa5 }
  .spread { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note, .value { fill: #9198a1 } .spread { stroke: #e6edf3 } .limit { fill: #5a636e }
  }`;

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function barsOf(results: Results, workload: Workload, metric: Metric): Bar[] {
  return results.servers.flatMap((server): Bar[] => {
    if (metric.proxiesOnly && server.id === "direct") return [];
    const summary = summaryOf(results, workload.id, server.id, metric.key);
    return summary === undefined ? [] : [{ label: server.title.replaceAll("*", ""), summary, colour: server.kind }];
  });
}

/** One chart, or undefined where the results say nothing about it. */
export function plot(results: Results, workload: Workload, metric: Metric): string | undefined {
  const bars = barsOf(results, workload, metric);
  const ours = bars.find((bar) => bar.colour === "ours");
  if (ours === undefined) return undefined;
  const longest = Math.max(...bars.map((bar) => bar.summary.max));
  const end = Math.min(longest, ours.summary.median * CUT_AT) || 1;
  const x = (value: number): string => (LABEL_WIDTH + (Math.min(value, end) / end) * TRACK).toFixed(1);

  const rows = bars.map(({ label, summary, colour }, index) => {
    const y = TOP + index * ROW;
    const middle = y + ROW / 2;
    const shown = summary.median.toLocaleString("en-US", { maximumFractionDigits: metric.digits });
    const width = (Number(x(summary.median)) - LABEL_WIDTH).toFixed(1);
    const spread =
      summary.min < summary.max && summary.min < end
        ? `<line class="spread" x1="${x(summary.min)}" x2="${x(summary.max)}" y1="${middle}" y2="${middle}"/>`
        : "";
    return `  <text x="${LABEL_WIDTH - 10}" y="${middle + 4}" text-anchor="end">${escaped(label)}</text>
  <rect class="${colour}" x="${LABEL_WIDTH}" y="${middle - BAR / 2}" width="${width}" height="${BAR}" rx="2"/>${spread}
  <text class="value" x="${WIDTH - VALUE_WIDTH + 10}" y="${middle + 4}">${shown}${summary.median > end ? " »" : ""}</text>`;
  });
  const height = TOP + bars.length * ROW + 12;
  const notes = [
    ...(bars.some(({ summary }) => summary.min < summary.max)
      ? [`the line is the spread over ${results.rounds} rounds`]
      : []),
    ...(bars.some(({ summary }) => summary.median > end) ? ["» the bar is cut"] : []),
  ];
  const better = metric.higherIsBetter ? "more is better" : "less is better";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
  <title>${escaped(`${workload.title}: ${metric.title}`)}</title>
  <style>${STYLE}
  </style>
  <text class="title" x="10" y="20">${escaped(workload.title)}</text>
  <text class="note" x="10" y="38">${escaped(metric.title)}: ${[better, ...notes].join("; ")}</text>
${rows.join("\n")}
</svg>
`;
}
