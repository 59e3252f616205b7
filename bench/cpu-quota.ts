/** Gives processes a part of a core and no more, by control groups of Linux. Needs root. */

import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PERIOD_US = 20_000;
/** Where the first version of control groups is mounted, and the second. */
const V1 = "/sys/fs/cgroup/cpu";
const V2 = "/sys/fs/cgroup";

/** One group with a quota of its own. */
export class CpuQuota implements Disposable {
  readonly #path: string;

  /**
   * @param share - Of one core, above 0.
   * @throws The error of the file system where there are no control groups, or they are not ours to make.
   */
  constructor(name: string, share: number) {
    const isV1 = existsSync(join(V1, "cpu.cfs_quota_us"));
    this.#path = join(isV1 ? V1 : V2, name);
    // A process can be in a group of the second version only where its parent has the controller.
    if (!isV1) writeFileSync(join(V2, "cgroup.subtree_control"), "+cpu");
    mkdirSync(this.#path);
    const quota = Math.round(PERIOD_US * share);
    if (isV1) {
      writeFileSync(join(this.#path, "cpu.cfs_period_us"), `${PERIOD_US}`);
      writeFileSync(join(this.#path, "cpu.cfs_quota_us"), `${quota}`);
    } else {
      writeFileSync(join(this.#path, "cpu.max"), `${quota} ${PERIOD_US}`);
    }
  }

  /** Takes a process in, with all its threads. */
  add(pid: number): void {
    writeFileSync(join(this.#path, "cgroup.procs"), `${pid}`);
  }

  /** Takes the group away, whose processes have ended. */
  [Symbol.dispose](): void {
    rmdirSync(this.#path);
  }
}
