/** The part of dns-packet that is used here. It has no types of its own for its codecs of single fields. */
declare module "dns-packet" {
  /** Throws on bytes that it cannot decode, and then leaves `bytes` as it was. */
  interface Decode<Value> {
    (buffer: Buffer, offset: number): Value;
    /** How many bytes the last call consumed, the RDLENGTH field of rdata included. */
    bytes: number;
  }
  interface Record {
    readonly type: string;
    readonly class?: string;
    readonly name: string;
    readonly ttl?: number;
    readonly data?: unknown;
  }
  interface Packet {
    readonly type: "query" | "response";
    readonly id: number;
    /** The flags of the header with the RCODE in the low four bits. */
    readonly flags: number;
    readonly questions: readonly { readonly type: string; readonly class?: string; readonly name: string }[];
    readonly answers?: readonly Record[];
    readonly authorities?: readonly Record[];
    readonly additionals?: readonly Record[];
  }
  export const RECURSION_DESIRED: number;
  export const name: { readonly decode: Decode<string> };
  export function encode(packet: Packet): Buffer;
}
