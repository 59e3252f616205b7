import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createLog, type StderrLogOptions } from "./log.ts";
import { formatJson, formatText } from "./log-format.ts";

const WALL_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

describe("formatJson", () => {
  test("the message comes before the fields", () => {
    const fields = { port: 1080, none: undefined, error: Object.assign(new Error("no"), { code: "ENOENT" }), big: 5n };
    expect(formatJson({ wallMs: WALL_MS, level: "info", message: "ready: socks", fields })).toBe(
      '{"time":"2026-01-02T03:04:05.678Z","level":"info","message":"ready: socks","port":1080,"error":"no (ENOENT)","big":5}',
    );
  });

  test("a C1 control character cannot steer a terminal", () => {
    const line = formatJson({ wallMs: 0, level: "info", message: "\u009b2J", fields: { name: "\u007f" } });
    expect(line).not.toMatch(/\p{Cc}/u);
    expect(JSON.parse(line)).toMatchObject({ message: "\u009b2J", name: "\u007f" });
  });

  test("a field cannot pose as the level", () => {
    const line = formatJson({ wallMs: 0, level: "info", message: "m", fields: { level: "error", message: "x" } });
    expect(JSON.parse(line)).toMatchObject({ level: "info", message: "m", field_level: "error", field_message: "x" });
  });
});

describe("formatText", () => {
  test("plain words bare, others in quotes", () => {
    const fields = { host: "example.org", detail: "no route", port: 80, empty: "", none: undefined };
    expect(formatText({ wallMs: WALL_MS, level: "warn", message: "refused", fields }, false)).toBe(
      '03:04:05.678 warn  refused host=example.org detail="no route" port=80 empty=""',
    );
  });

  test("colours the level and nothing else", () => {
    const line = formatText({ wallMs: WALL_MS, level: "error", message: "m", fields: undefined }, true);
    expect(line).toBe("03:04:05.678 \u001b[31merror\u001b[0m m");
  });

  test("whatever a client sends, it is one line without control characters", () => {
    const text = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(text, text, (message, host) => {
        const line = formatText({ wallMs: 0, level: "info", message, fields: { host } }, false);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
        return !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(line);
      }),
    );
  });
});

describe("createLog", () => {
  const lines = (options: StderrLogOptions, isTerminal: boolean): string[] => {
    const written: string[] = [];
    const log = createLog(options, { isTerminal, write: (line) => void written.push(line), wallMs: () => WALL_MS });
    log.debug("d");
    log.info("i");
    log.warn("w");
    log.configure({ ...options, level: "error" });
    log.warn("w");
    log.error("e");
    return written;
  };

  test("leaves out what is below the level, which can change", () => {
    const levels = lines({ level: "info", format: "json" }, true).map((line) => JSON.parse(line).level);
    expect(levels).toEqual(["info", "warn", "error"]);
  });

  test("auto is text on a terminal and JSON elsewhere", () => {
    expect(lines({ level: "info", format: "auto" }, true)[0]).toStartWith("03:04:05.678 ");
    expect(lines({ level: "info", format: "auto" }, false)[0]).toStartWith("{");
    expect(lines({ level: "info", format: "text" }, false)[0]).toBe("03:04:05.678 info  i");
  });
});
