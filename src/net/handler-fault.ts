/**
 * What a socket's handlers threw: a bug of ours, since what peers do never throws. It ends the one socket, the others live
 * on, and the program hears of it as of any uncaught exception. Bun reports failures of the network by `close`, never here.
 */
export function endFaultySocket(socket: { terminate(): void }, fault: unknown): void {
  socket.terminate();
  reportError(fault);
}
