/** What an endpoint counts. */

import type { Oddity, SctpCounters } from "./api.ts";

const NO_ODDITIES: Readonly<Record<Oddity, number>> = {
  "bad-length": 0,
  "bad-checksum": 0,
  "bad-port": 0,
  "malformed-chunk": 0,
  "wrong-tag": 0,
  "out-of-the-blue": 0,
  bundled: 0,
  "bad-init": 0,
  "refused-limit": 0,
  "new-udp-port": 0,
  "forged-cookie": 0,
  "stale-cookie": 0,
  "unmatched-cookie": 0,
  "unexpected-chunk": 0,
  "unknown-chunk": 0,
  "duplicate-data": 0,
  "no-room": 0,
  "bad-stream": 0,
};

/** The counters of one endpoint; they only ever grow. */
export class Counters {
  packetsReceived = 0;
  packetsSent = 0;
  associationsOpened = 0;
  associationsClosed = 0;
  dataRetransmitted = 0;
  readonly oddities: Record<Oddity, number> = { ...NO_ODDITIES };

  snapshot(): SctpCounters {
    const { packetsReceived, packetsSent, associationsOpened, associationsClosed, dataRetransmitted } = this;
    const oddities = { ...this.oddities };
    return { packetsReceived, packetsSent, associationsOpened, associationsClosed, dataRetransmitted, oddities };
  }
}
