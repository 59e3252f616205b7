/** The numbers of the admin protocol, version 1 (docs/admin-protocol.md). */

/** VER, in every authentication frame and in every reply to one. */
export const VERSION = 1;

/** STATUS of an authentication reply (§3). After any but `Successful` the server closes. */
export const AuthStatus = {
  Successful: 0,
  InvalidCredentials: 1,
  InvalidProtocol: 2,
  InternalError: 3,
} as const;
export type AuthStatus = (typeof AuthStatus)[keyof typeof AuthStatus];

/** CODE of a request, and of the response when the request succeeded (§4). 4 to 253 are reserved. */
export const Method = {
  Historical: 0,
  Concurrent: 1,
  Bytes: 2,
  BufferSize: 3,
} as const;
export type Method = (typeof Method)[keyof typeof Method];

/** CODE of a response that refuses (§4.3). Never a method. */
export const RefusalCode = {
  InvalidParam: 254,
  InvalidMethod: 255,
} as const;
export type RefusalCode = (typeof RefusalCode)[keyof typeof RefusalCode];

/** The range of a buffer size that method 3 accepts, in bytes. */
export const BUFFER_SIZE_MIN = 300;
export const BUFFER_SIZE_MAX = 16_777_216;

/** The longest UNAME, PASSWD, PARAM and DATA: what one length byte can say. */
export const FIELD_BYTES_MAX = 255;
