import { expect, test } from "bun:test";
import { parseConfig } from "../config/load.ts";
import { BUFFER_SIZE_MAX, BUFFER_SIZE_MIN } from "../ports/control.ts";
import * as protocol from "../protocol/admin/constants.ts";
import { ADMIN_LIMITS } from "./limits.ts";

test("the configuration's defaults are ADMIN_LIMITS", () => {
  const config = parseConfig({});
  expect(config.kind === "done" && config.value.admin.limits).toEqual(ADMIN_LIMITS);
});

test("the protocol's range of buffer sizes is the proxy's", () => {
  expect([protocol.BUFFER_SIZE_MIN, protocol.BUFFER_SIZE_MAX]).toEqual([BUFFER_SIZE_MIN, BUFFER_SIZE_MAX]);
});
