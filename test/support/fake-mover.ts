/** A mover that only does what the test says. */

import type { BulkEnd, BulkMover, BulkTunnel } from "../../src/ports/bulk.ts";
import { FakeSocket } from "./fake-socket.ts";

export class FakeMover implements BulkMover {
  isWilling = true;
  asked = 0;
  bufferSizeApplied = 0;
  client: BulkEnd | undefined;
  target: BulkEnd | undefined;
  readonly sockets: { readonly client: FakeSocket; readonly target: FakeSocket } = {
    client: new FakeSocket(),
    target: new FakeSocket(),
  };

  take(client: BulkEnd, target: BulkEnd): BulkTunnel | undefined {
    this.asked++;
    if (!this.isWilling) return undefined;
    this.client = client;
    this.target = target;
    this.sockets.client.data = client;
    this.sockets.target.data = target;
    return { ...this.sockets, applyBufferSize: () => void this.bufferSizeApplied++ };
  }

  /** Gives back both sockets, with nothing held. */
  comeHome(): void {
    this.client?.handleHome(this.sockets.client, undefined);
    this.target?.handleHome(this.sockets.target, undefined);
  }
}
