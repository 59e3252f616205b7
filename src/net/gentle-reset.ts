/**
 * A reset that takes nothing from the peer.
 *
 * Closing a socket by RST throws away what the kernel has not sent yet, megabytes when the peer reads slowly. The bytes
 * came before the reset that is passed on, and so they are owed to it. Linux tells how many are left, but sends no event
 * when there are none: it is asked again now and then. Elsewhere the reset is an immediate one.
 */

import type { Clock, Timer } from "../ports/clock.ts";
import type { GentleReset, Stream } from "../ports/socket.ts";
import { libc, SIOCOUTQ } from "./libc.ts";

/** How soon the kernel is asked again, in milliseconds; each time twice as late, up to the second one. */
const FIRST_DELAY_MS = 2;
const DELAY_MAX_MS = 512;

const cell = new Int32Array(1);

/** Implements {@link GentleReset}. BOUNDED: one timer for each socket that waits. */
export function gentleReset(clock: Clock): GentleReset {
  return (stream) => {
    let timer: Timer | undefined;
    const check = (delayMs: number): void => {
      if (unacknowledgedBytes(stream) === 0) stream.terminate();
      else timer = clock.setTimer(delayMs, () => check(Math.min(delayMs * 2, DELAY_MAX_MS)));
    };
    check(FIRST_DELAY_MS);
    return () => timer?.cancel();
  };
}

/** What the kernel has taken for sending and the peer has not acknowledged; 0 where nobody can tell. */
function unacknowledgedBytes(stream: Stream): number {
  const { fd } = stream as unknown as { readonly fd: number };
  if (libc === undefined || fd < 0 || libc.ioctl(fd, SIOCOUTQ, cell) < 0) return 0;
  return cell[0] as number;
}
