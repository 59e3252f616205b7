/** A directory for one test's files. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ScratchDir extends Disposable {
  readonly path: string;
  /** The path of a file inside. */
  file(name: string): string;
}

/** Makes a directory that goes with everything in it when it is disposed of. */
export function scratchDir(): ScratchDir {
  const path = mkdtempSync(join(tmpdir(), "sockeye-"));
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
