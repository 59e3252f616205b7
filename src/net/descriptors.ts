/** How many descriptors the process may have, and so how many clients it can serve. */

import { readdirSync } from "node:fs";
import { F_DUPFD_CLOEXEC, libc, RLIMIT_NOFILE } from "./libc.ts";

/** A client and its target. */
const DESCRIPTORS_PER_CLIENT = 2;
/** Kept for names to be looked up, logs to be reopened, an administrator to look in, and second attempts to connect. */
const RESERVE_MAX = 256;
const DESCRIPTORS_PER_PIPE = 2;
/** The part of all descriptors that pipes for splicing may take. */
const PIPES_SHARE = 1 / 32;
/** Any descriptor that is always there. */
const STDERR = 2;
/** Where we cannot ask: what macOS gives a program. */
const LIMIT_UNKNOWN = 256;

export interface DescriptorBudget {
  /** The most descriptors that the process may have. */
  readonly limit: number;
  /** How many clients that is enough for, with a reserve. At least 1. */
  readonly clients: number;
  /** How many pipes for splicing there may be: as many as were wanted, where that leaves most for the clients. */
  readonly pipes: number;
  /** A descriptor of this number or a higher one says that they are short. */
  readonly highest: number;
}

/**
 * Raises the process's soft limit to its hard limit, and divides what there is. Call it once everything is open.
 *
 * @param pipesWanted - Pipes for splicing; they are opened when they are needed.
 */
export function descriptorBudget(pipesWanted: number): DescriptorBudget {
  const limit = raiseLimit();
  const inUse = libc === undefined ? 32 : readdirSync("/proc/self/fd").length;
  // Small limits keep a small reserve: an eighth.
  const reserve = Math.min(RESERVE_MAX, Math.ceil(limit / 8));
  const pipes = Math.min(pipesWanted, Math.floor((limit * PIPES_SHARE) / DESCRIPTORS_PER_PIPE));
  const free = limit - inUse - reserve - pipes * DESCRIPTORS_PER_PIPE;
  return {
    limit,
    clients: Math.max(1, Math.floor(free / DESCRIPTORS_PER_CLIENT)),
    pipes,
    highest: limit - Math.ceil(reserve / 2),
  };
}

/** The number that the next descriptor will have; `Infinity` when there is none left, 0 where we cannot ask. */
export function lowestFreeDescriptor(): number {
  if (libc === undefined) return 0;
  const fd = libc.fcntl(STDERR, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return Number.POSITIVE_INFINITY;
  libc.close(fd);
  return fd;
}

function raiseLimit(): number {
  if (libc === undefined) return LIMIT_UNKNOWN;
  const limits = new BigUint64Array(2);
  if (libc.getrlimit(RLIMIT_NOFILE, limits) < 0) return LIMIT_UNKNOWN;
  const [soft, hard] = limits as unknown as [bigint, bigint];
  if (soft < hard) {
    limits[0] = hard;
    if (libc.setrlimit(RLIMIT_NOFILE, limits) < 0) return Number(soft);
  }
  // "Unlimited" is the largest number there is; the kernel's own bound is far below it.
  return Math.min(Number(hard), 2 ** 30);
}
