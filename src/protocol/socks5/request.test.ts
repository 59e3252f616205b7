import { describe, test } from "bun:test";
import { decodesEveryWay, refusesFromByte, survivesRandomBytes } from "../../../test/support/every-way.ts";
import { encodeDomainAddress } from "./address.ts";
import { Atyp, Cmd } from "./constants.ts";
import { decodeRequest, encodeRequest } from "./request.ts";

const strict = (bytes: Uint8Array) => decodeRequest(bytes, { ignoreReserved: false });
const lenient = (bytes: Uint8Array) => decodeRequest(bytes, { ignoreReserved: true });

describe("decodeRequest", () => {
  for (const [name, cmd] of Object.entries(Cmd)) {
    test(`${name} is CMD ${cmd} [rfc1928#4/request] [rfc1928#4/commands]`, () => {
      decodesEveryWay(strict, Uint8Array.of(5, cmd, 0, 1, 192, 0, 2, 7, 0, 80), {
        cmd,
        dst: { atyp: Atyp.Ipv4, host: "192.0.2.7", isIp: true, port: 80 },
      });
    });
  }

  test("the encoder's bytes, with a name", () => {
    const bytes = encodeRequest(Cmd.Connect, encodeDomainAddress("example.org", 443));
    decodesEveryWay(strict, bytes, {
      cmd: Cmd.Connect,
      dst: { atyp: Atyp.DomainName, host: "example.org", isIp: false, port: 443 },
    });
  });

  test("another version is refused at its first byte", () => {
    refusesFromByte(strict, Uint8Array.of(4, 1, 0, 1, 192, 0, 2, 7, 0, 80), 0, "bad-version");
  });

  test("an unknown command is refused at its byte [rfc1928#6/rep-command-not-supported]", () => {
    for (const cmd of [0, 4, 255]) {
      refusesFromByte(strict, Uint8Array.of(5, cmd, 0, 1, 192, 0, 2, 7, 0, 80), 1, "bad-command");
    }
  });

  test("RSV is X'00', or is ignored where that is configured [rfc1928#4/reserved]", () => {
    const bytes = Uint8Array.of(5, 1, 7, 1, 192, 0, 2, 7, 0, 80);
    refusesFromByte(strict, bytes, 2, "bad-reserved");
    decodesEveryWay(lenient, bytes, {
      cmd: Cmd.Connect,
      dst: { atyp: Atyp.Ipv4, host: "192.0.2.7", isIp: true, port: 80 },
    });
  });

  test("an unknown ATYP is refused at its byte", () => {
    refusesFromByte(strict, Uint8Array.of(5, 1, 0, 2, 192, 0, 2, 7, 0, 80), 3, "bad-address-type");
  });

  test("random bytes never throw", () => {
    survivesRandomBytes(strict, [[5], [5, 1, 0], [5, 1, 0, 3], [5, 3, 0, 4]]);
    survivesRandomBytes(lenient, [
      [5, 1],
      [5, 1, 9, 3],
    ]);
  });
});
