/** Where randomness comes from: the operating system in the program, a seed in tests. */
export interface Random {
  /** `count` fresh bytes, fit for keys and cookies. */
  bytes(count: number): Uint8Array;
}
