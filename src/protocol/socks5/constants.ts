/** The numbers of RFC 1928 and RFC 1929, in the order and under the names of the RFCs. */

/** VER of the greeting, the request and the reply. */
export const VERSION = 5;
/** VER of the username/password sub-negotiation, in both directions (RFC 1929 §2). */
export const USERPASS_VERSION = 1;

/** METHOD: how the client may authenticate (RFC 1928 §3). */
export const Method = {
  NoAuthenticationRequired: 0x00,
  Gssapi: 0x01,
  UsernamePassword: 0x02,
  NoAcceptableMethods: 0xff,
} as const;
export type Method = (typeof Method)[keyof typeof Method];

/** CMD: what the client asks for (RFC 1928 §4). */
export const Cmd = { Connect: 1, Bind: 2, UdpAssociate: 3 } as const;
export type Cmd = (typeof Cmd)[keyof typeof Cmd];

/** ATYP: how an address is written (RFC 1928 §5). */
export const Atyp = { Ipv4: 1, DomainName: 3, Ipv6: 4 } as const;
export type Atyp = (typeof Atyp)[keyof typeof Atyp];

/** REP: what became of the request (RFC 1928 §6). */
//= rfc1928#6/rep-unassigned
export const Rep = {
  Succeeded: 0,
  GeneralFailure: 1,
  NotAllowed: 2,
  NetworkUnreachable: 3,
  HostUnreachable: 4,
  ConnectionRefused: 5,
  TtlExpired: 6,
  CommandNotSupported: 7,
  AddressTypeNotSupported: 8,
} as const;
export type Rep = (typeof Rep)[keyof typeof Rep];
/** Every REP but success. */
export type FailureRep = Exclude<Rep, typeof Rep.Succeeded>;

/** STATUS of the username/password reply (RFC 1929 §2). Any value but 0 is a failure; we send 1. */
export const UserPassStatus = { Success: 0, Failure: 1 } as const;
export type UserPassStatus = (typeof UserPassStatus)[keyof typeof UserPassStatus];
