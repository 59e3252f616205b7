import { expect, test } from "bun:test";
import { decodesEveryWay, refusesFromByte, survivesRandomBytes } from "../../../test/support/every-way.ts";
import { Method } from "./constants.ts";
import { decodeGreeting, encodeGreeting, encodeMethodSelection } from "./greeting.ts";

test("a greeting has as many methods as it says, from 0 to 255 [rfc1928#3/greeting]", () => {
  decodesEveryWay(decodeGreeting, Uint8Array.of(5, 0), Uint8Array.of());
  decodesEveryWay(decodeGreeting, Uint8Array.of(5, 1, 0), Uint8Array.of(0));
  decodesEveryWay(decodeGreeting, Uint8Array.of(5, 3, 0, 1, 2), Uint8Array.of(0, 1, 2));
  const all = Uint8Array.from({ length: 255 }, (_, index) => index);
  decodesEveryWay(decodeGreeting, Uint8Array.of(5, 255, ...all), all);
});

test("another version is refused at its first byte [rfc1928#3/version]", () => {
  for (const version of [0, 1, 4, 6, 0x16, 0x47, 255]) {
    refusesFromByte(decodeGreeting, Uint8Array.of(version, 1, 0), 0, "bad-version");
  }
});

test("random bytes never throw", () => survivesRandomBytes(decodeGreeting, [[5], [5, 255]]));

test("the client's greeting is what the server reads", () => {
  const methods = [Method.NoAuthenticationRequired, Method.UsernamePassword];
  decodesEveryWay(decodeGreeting, encodeGreeting(methods), Uint8Array.from(methods));
});

test("the choice is VER 5 and the method [rfc1928#3/method-selection]", () => {
  expect(encodeMethodSelection(Method.UsernamePassword)).toEqual(Uint8Array.of(5, 2));
  expect(encodeMethodSelection(Method.NoAcceptableMethods)).toEqual(Uint8Array.of(5, 0xff));
});
