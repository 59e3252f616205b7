/** `sockeye ctl`: the admin protocol from a shell. */

import { type AdminClient, AdminError, AdminErrorCode, connectAdmin } from "../admin/client.ts";
import { formatMistake } from "../config/mistake.ts";
import { formatHelp, formatMistakes } from "./command-line.ts";
import { CTL, type CtlRequest, readCtlArguments } from "./ctl-arguments.ts";
import { print } from "./standard-output.ts";

/** What the end of `ctl` says to a shell. */
export const CtlStatus = {
  Done: 0,
  /** The server answered 254 or 255. */
  Refused: 1,
  WrongUsage: 2,
  LoginRefused: 3,
  /** No server, or it went away, or it does not speak the protocol. */
  NoServer: 4,
} as const;
export type CtlStatus = (typeof CtlStatus)[keyof typeof CtlStatus];

/** What a command reads and writes besides its arguments. */
export interface CtlIo {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

const PROCESS_IO: CtlIo = {
  environment: process.env,
  stdout: print,
  stderr: (text) => void process.stderr.write(text),
};

/** @param args - The arguments after "ctl". */
export async function run(args: readonly string[], io: CtlIo = PROCESS_IO): Promise<CtlStatus> {
  const read = readCtlArguments(args, io.environment);
  if (read.kind === "help") {
    io.stdout(formatHelp(CTL));
    return CtlStatus.Done;
  }
  if (read.kind === "mistakes") {
    io.stderr(formatMistakes(CTL.name, read.mistakes.map(formatMistake)));
    return CtlStatus.WrongUsage;
  }
  try {
    return await ask(read.request, io);
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    io.stderr(`sockeye ctl: ${error.message}\n`);
    return STATUSES[error.code];
  }
}

async function ask(request: CtlRequest, io: CtlIo): Promise<CtlStatus> {
  const { password, passwordPlace, ...where } = request;
  if (password === undefined) {
    // Where there is no server, that is the first thing to know. The password below is not sent.
    await (await connectAdmin({ ...where, password: "-" })).reach();
    io.stderr(
      `sockeye ctl: no password: set SOCKEYE_ADMIN_PASSWORD, name a --password-file, or run as the account whose server has left one in ${passwordPlace}\n`,
    );
    return CtlStatus.WrongUsage;
  }
  const admin = await connectAdmin({ ...where, password });
  io.stdout(`${await numberFor(request, admin)}\n`);
  return CtlStatus.Done;
}

function numberFor({ command, size }: CtlRequest, admin: AdminClient): Promise<number> {
  switch (command) {
    case "historical":
      return admin.historical();
    case "concurrent":
      return admin.concurrent();
    case "bytes":
      return admin.bytes();
    case "buffer-size":
      return admin.setBufferSize(size);
    default:
      return command satisfies never;
  }
}

const STATUSES: Readonly<Record<AdminErrorCode, CtlStatus>> = {
  [AdminErrorCode.Refused]: CtlStatus.Refused,
  [AdminErrorCode.Login]: CtlStatus.LoginRefused,
  [AdminErrorCode.Unreachable]: CtlStatus.NoServer,
  [AdminErrorCode.Gone]: CtlStatus.NoServer,
  [AdminErrorCode.Protocol]: CtlStatus.NoServer,
};
