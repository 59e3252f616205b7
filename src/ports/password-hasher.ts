/** Slow password hashes. */
export interface PasswordHasher {
  /** Whether `password` has the argon2id hash `phc` (a PHC string). False for a string that is none. */
  verify(password: Uint8Array, phc: string): Promise<boolean>;
}
