import { fullGC } from "bun:jsc";

/** Frees everything that nothing refers to any more, and stops the program meanwhile: some ms for each 10 MB of heap. */
export function collectGarbage(): void {
  fullGC();
}
