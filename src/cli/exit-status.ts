/** What the program's end says to a shell. */
export const ExitStatus = {
  Done: 0,
  /** It could not do what was asked. */
  Failed: 1,
  /** Unknown options, extra arguments, bad values, a bad configuration. */
  WrongUsage: 2,
  /** A second signal ended the program while it was stopping. */
  Interrupted: 130,
} as const;
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];
