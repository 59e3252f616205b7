import type {
  DatagramListener,
  DatagramSocket,
  DatagramSocketOptions,
  DatagramSockets,
} from "../ports/datagram-socket.ts";
import { MmsgSockets } from "./mmsg/mmsg-sockets.ts";
import { UdpSockets } from "./udp-socket.ts";

/** The best UDP sockets that there are: ours on Linux, as soon as they are ready; otherwise Bun's. */
export class BestDatagramSockets implements DatagramSockets {
  readonly #ours: MmsgSockets | undefined = MmsgSockets.open();
  readonly #buns: UdpSockets = new UdpSockets();

  open(options: DatagramSocketOptions, listener: DatagramListener): DatagramSocket | string {
    const sockets = this.#ours?.isReady === true ? this.#ours : this.#buns;
    return sockets.open(options, listener);
  }
}
