import { describe, expect, test } from "bun:test";
import type { KernelSctp } from "./sctp-probe.ts";
import { resolveTransport } from "./sctp-transport.ts";

const present = (): KernelSctp => ({ available: true });
const absent = (): KernelSctp => ({ available: false, code: "EPROTONOSUPPORT" });

describe("resolveTransport", () => {
  test("auto is the kernel's SCTP where there is one", () => {
    expect(resolveTransport("auto", "listen", present)).toEqual({ transport: "kernel", hint: undefined });
    expect(resolveTransport("kernel", "listen", present)).toEqual({ transport: "kernel", hint: undefined });
  });

  test("auto is UDP where there is none, with a hint how to get the kernel's", () => {
    const { transport, hint } = resolveTransport("auto", "listen", absent);
    expect(transport).toBe("udp");
    expect(hint).toStartWith("The kernel has no SCTP (EPROTONOSUPPORT), so SCTP runs in UDP.");
    expect(hint).toContain("modprobe sctp");
  });

  test("a kernel's SCTP that is demanded and absent is an error that says how to get it", () => {
    expect(() => resolveTransport("kernel", "listen", absent)).toThrow(/EPROTONOSUPPORT.*modprobe sctp/);
  });

  test("udp asks nobody", () => {
    const probe = (): KernelSctp => {
      throw new Error("asked");
    };
    expect(resolveTransport("udp", "connect", probe)).toEqual({ transport: "udp", hint: undefined });
  });
});
