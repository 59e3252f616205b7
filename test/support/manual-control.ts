import type { Control } from "../../src/ports/control.ts";

/** A proxy that a test plays: fixed counters, and a buffer size that can be set. */
export class ManualControl implements Control {
  size = 65_536;
  /** Every size that was set, in order. */
  readonly sizes: number[] = [];

  historical(): number {
    return 1234;
  }

  concurrent(): number {
    return 7;
  }

  bytes(): number {
    return 9_007_199_254_740_991;
  }

  bufferSize(): number {
    return this.size;
  }

  setBufferSize(size: number): void {
    this.size = size;
    this.sizes.push(size);
  }
}
