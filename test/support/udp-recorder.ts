/** A relay for one UDP client that writes down every datagram, as a capture file that Wireshark reads. */

interface Datagram {
  readonly fromClient: boolean;
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

/** Addresses in the capture: the recorder hides the true ones. */
const CLIENT = [192, 0, 2, 1];
const SERVER = [192, 0, 2, 2];
const CLIENT_PORT = 40_000;
const PCAP_MAGIC = 0xa1b2c3d4;
/** Packets begin with their IP header. */
const LINKTYPE_RAW = 101;
const IP_HEADER_BYTES = 20;
const UDP_HEADER_BYTES = 8;
const SNAP_LENGTH = 65_535;

export class UdpRecorder implements Disposable {
  /** Where the client is to send to. */
  readonly port: number;
  readonly #serverPort: number;
  readonly #sockets: readonly { close(): void }[];
  /** UNBOUNDED: a test's exchange. */
  readonly #datagrams: Datagram[];

  private constructor(port: number, serverPort: number, sockets: readonly { close(): void }[], datagrams: Datagram[]) {
    this.port = port;
    this.#serverPort = serverPort;
    this.#sockets = sockets;
    this.#datagrams = datagrams;
  }

  /** Relays to `serverPort` of 127.0.0.1 for whoever sends first, and whoever comes after him. */
  static async start(serverPort: number): Promise<UdpRecorder> {
    const datagrams: Datagram[] = [];
    let clientPort = 0;
    const record = (fromClient: boolean, bytes: Uint8Array): void => {
      datagrams.push({ fromClient, bytes: bytes.slice(), atMs: Date.now() });
    };
    const front = await Bun.udpSocket({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: (_socket, bytes, port) => {
          clientPort = port;
          record(true, bytes);
          back.send(bytes, serverPort, "127.0.0.1");
        },
        // A client has closed its port: the next one has another.
        error: () => undefined,
      },
    });
    const back = await Bun.udpSocket({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: (_socket, bytes) => {
          record(false, bytes);
          sendPastErrors(() => front.send(bytes, clientPort, "127.0.0.1"));
        },
      },
    });
    return new UdpRecorder(front.port, serverPort, [front, back], datagrams);
  }

  get count(): number {
    return this.#datagrams.length;
  }

  /** The exchange so far, in the format of libpcap, with the server's true UDP port. */
  capture(): Uint8Array {
    const header = new DataView(new ArrayBuffer(24));
    header.setUint32(0, PCAP_MAGIC);
    header.setUint16(4, 2);
    header.setUint16(6, 4);
    header.setUint32(16, SNAP_LENGTH);
    header.setUint32(20, LINKTYPE_RAW);
    return Buffer.concat([new Uint8Array(header.buffer), ...this.#datagrams.map((datagram) => this.#packet(datagram))]);
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.close();
  }

  #packet({ fromClient, bytes, atMs }: Datagram): Uint8Array {
    const size = IP_HEADER_BYTES + UDP_HEADER_BYTES + bytes.length;
    const view = new DataView(new ArrayBuffer(16 + size));
    view.setUint32(0, Math.floor(atMs / 1000));
    view.setUint32(4, (atMs % 1000) * 1000);
    view.setUint32(8, size);
    view.setUint32(12, size);
    const out = new Uint8Array(view.buffer);
    const ip = 16;
    out[ip] = 0x45;
    view.setUint16(ip + 2, size);
    out[ip + 8] = 64;
    out[ip + 9] = 17;
    out.set(fromClient ? CLIENT : SERVER, ip + 12);
    out.set(fromClient ? SERVER : CLIENT, ip + 16);
    view.setUint16(ip + 10, internetChecksum(out.subarray(ip, ip + IP_HEADER_BYTES)));
    const udp = ip + IP_HEADER_BYTES;
    view.setUint16(udp, fromClient ? CLIENT_PORT : this.#serverPort);
    view.setUint16(udp + 2, fromClient ? this.#serverPort : CLIENT_PORT);
    view.setUint16(udp + 4, UDP_HEADER_BYTES + bytes.length);
    // A checksum of 0 is none.
    out.set(bytes, udp + UDP_HEADER_BYTES);
    return out;
  }
}

/** A port that a client has closed makes the next send fail, once, whoever it is for. */
function sendPastErrors(send: () => void): void {
  try {
    send();
  } catch {
    send();
  }
}

/** RFC 1071, over an even number of bytes whose checksum field is 0. */
function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
