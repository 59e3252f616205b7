/** Which parts of a command line are passwords, so that they can be blanked where other processes see them. */

/** Bytes of one argument, by its index. */
export interface ArgumentSecret {
  readonly index: number;
  /** Offset in bytes of the first byte to blank; it and all after it go. */
  readonly start: number;
}

const COLON = 0x3a;

/** The arguments of the whole program, from the command's name on. Takes rather too much than too little. */
export function findSecrets(args: readonly string[]): ArgumentSecret[] {
  if (args[0] === "hash-password") {
    // It takes none; whoever gives one has typed a password.
    return args.slice(1).flatMap((arg, at) => (arg.startsWith("-") ? [] : [{ index: at + 1, start: 0 }]));
  }
  return args.flatMap((arg, index) => {
    const start = credentialsStart(arg, args[index - 1]);
    if (start === undefined) return [];
    const bytes = Buffer.from(arg);
    const colon = bytes.indexOf(COLON, start);
    // Without a colon it may all be the password.
    return [{ index, start: colon < 0 ? start : colon + 1 }];
  });
}

/** Where NAME:PASSWORD starts in `arg`, in bytes. */
function credentialsStart(arg: string, before: string | undefined): number | undefined {
  if (before !== undefined && /^(-[uU]|--user|--admin)$/.test(before)) return 0;
  const joined = /^(?:-[uU]|--user=|--admin=)(?=.)/s.exec(arg);
  return joined?.[0].length;
}
