/**
 * The small door through which an administrator reaches the running proxy. The admin protocol, and whatever else steers
 * it, knows the proxy by this and nothing else.
 */
export interface Control {
  /** SOCKS clients accepted since the start, whatever became of them. */
  historical(): number;
  /** SOCKS clients connected now, at any stage. */
  concurrent(): number;
  /** Payload bytes relayed since the start, both directions, TCP and UDP; handshakes do not count. */
  bytes(): number;
  /** The relay buffer size in force, in bytes. */
  bufferSize(): number;
  /**
   * Sets the relay buffer size, in bytes, for open and for new tunnels at once.
   *
   * @param size - An integer from {@link BUFFER_SIZE_MIN} to {@link BUFFER_SIZE_MAX}; the caller has checked it.
   */
  setBufferSize(size: number): void;
}

/** The smallest relay buffer, in bytes. */
export const BUFFER_SIZE_MIN = 300;
/** The largest relay buffer, in bytes: 16 MiB. */
export const BUFFER_SIZE_MAX = 16_777_216;
/** The relay buffer when nothing is said, in bytes. */
export const BUFFER_SIZE_DEFAULT = 65_536;
