/** The numbers of RFC 9260, in its order and with its names, and ours. */

import type { SctpLimits, SctpTiming } from "./api.ts";

/** Chunk types (RFC 9260 §3.2). */
export const ChunkType = {
  Data: 0,
  Init: 1,
  InitAck: 2,
  Sack: 3,
  Heartbeat: 4,
  HeartbeatAck: 5,
  Abort: 6,
  Shutdown: 7,
  ShutdownAck: 8,
  Error: 9,
  CookieEcho: 10,
  CookieAck: 11,
  ShutdownComplete: 14,
} as const;
export type ChunkType = (typeof ChunkType)[keyof typeof ChunkType];

/** Parameter types (RFC 9260 §3.3.2.1, §3.3.3.1 and §3.3.5). */
export const ParameterType = {
  HeartbeatInfo: 1,
  Ipv4Address: 5,
  Ipv6Address: 6,
  StateCookie: 7,
  UnrecognizedParameter: 8,
  CookiePreservative: 9,
  HostNameAddress: 11,
  SupportedAddressTypes: 12,
} as const;
export type ParameterType = (typeof ParameterType)[keyof typeof ParameterType];

/** Error causes (RFC 9260 §3.3.10); the last one is of draft-tuexen-tsvwg-sctp-udp-encaps-cons. */
export const CauseCode = {
  InvalidStreamIdentifier: 1,
  MissingMandatoryParameter: 2,
  StaleCookie: 3,
  OutOfResource: 4,
  UnresolvableAddress: 5,
  UnrecognizedChunkType: 6,
  InvalidMandatoryParameter: 7,
  UnrecognizedParameters: 8,
  NoUserData: 9,
  CookieReceivedWhileShuttingDown: 10,
  RestartWithNewAddresses: 11,
  UserInitiatedAbort: 12,
  ProtocolViolation: 13,
  RestartWithNewEncapsulationPort: 14,
} as const;
export type CauseCode = (typeof CauseCode)[keyof typeof CauseCode];

/** Source port, destination port, verification tag, checksum (RFC 9260 §3.1). */
export const COMMON_HEADER_BYTES = 12;
/** Type, flags and length of a chunk (RFC 9260 §3.2); type and length of a parameter or cause likewise. */
export const TLV_HEADER_BYTES = 4;
/** The longest packet that a UDP datagram or an IP packet can carry. */
export const PACKET_BYTES_MAX = 65_535;

//= rfc6951#5.6/mtu
/**
 * The packets that we send are at most this long. Fixed, instead of discovered: with the headers of UDP and IPv6 it fits
 * into 1,280 bytes, which every IPv6 path carries.
 */
export const PATH_MTU_BYTES = 1_200;
/** The longest DATA chunk in such a packet, with its header: PMDCS in RFC 9260 §1.3. */
export const DATA_CHUNK_BYTES_MAX: number = PATH_MTU_BYTES - COMMON_HEADER_BYTES;
/** The window below which an INIT is refused (RFC 9260 §3.3.2). */
export const A_RWND_MIN = 1_500;
/** We send and receive on one stream. */
export const STREAMS = 1;
/** Max.Burst (RFC 9260 §16): packets in one go. */
export const MAX_BURST = 4;
/** What each message in the send buffer counts on top of its bytes, so that empty words do not fill the memory. */
export const MESSAGE_OVERHEAD_BYTES = 64;

/** A send buffer of this size holds 65,535 messages of one byte: one more, and a sequence number would be there twice. */
export const SEND_BUFFER_BYTES_MAX: number = 65_535 * (1 + MESSAGE_OVERHEAD_BYTES);
/** No acknowledgement may be held back for longer (RFC 9260 §6.2). */
export const SACK_DELAY_MS_MAX = 500;

/** The limits when nothing is said. */
export const DEFAULT_LIMITS: SctpLimits = {
  associationsMax: 1_024,
  associationsPerAddressMax: 256,
  messageBytesMax: 65_536,
  receiveWindowBytes: 131_072,
  sendBufferBytes: 131_072,
};

/** The protocol parameters when nothing is said: those of RFC 9260 §16 where it has them. */
export const DEFAULT_TIMING: SctpTiming = {
  rtoInitialMs: 1_000,
  rtoMinMs: 1_000,
  rtoMaxMs: 60_000,
  associationMaxRetrans: 10,
  maxInitRetransmits: 8,
  heartbeatIntervalMs: 30_000,
  cookieLifeMs: 60_000,
  cookieKeyLifeMs: 600_000,
  sackDelayMs: 200,
  shutdownGuardMs: 300_000,
};
