import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AdminService, startAdminService } from "../../test/support/admin-service.ts";
import { PASSWORD_FILE } from "../admin/state-directory.ts";
import { run } from "./ctl.ts";

let service: AdminService;
let directory: string;
beforeAll(async () => {
  service = await startAdminService();
  directory = mkdtempSync(join(tmpdir(), "sockeye-ctl-"));
});
afterAll(() => {
  service[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function ctl(args: readonly string[], environment: Record<string, string> = {}): Promise<Result> {
  let stdout = "";
  let stderr = "";
  const status = await run(args, {
    environment: { SOCKEYE_STATE_DIR: join(directory, "none"), ...environment },
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
  });
  return { status, stdout, stderr };
}

const where = (): string[] => ["--port", `${service.port}`, "--udp-port", `${service.udpPort}`, "--transport", "udp"];
const SECRET = { SOCKEYE_ADMIN_PASSWORD: "secret" };

describe("sockeye ctl", () => {
  test.each([
    [["historical"], "1234\n"],
    [["concurrent"], "7\n"],
    [["bytes"], "9007199254740991\n"],
    [["buffer-size", "4096"], "4096\n"],
    [["buffer-size", "000300"], "300\n"],
  ])("%p prints %j, with the options before or after", async (command, stdout) => {
    const done = { status: 0, stdout, stderr: "" };
    expect(await ctl([...command, ...where(), "--user", "root"], SECRET)).toEqual(done);
    expect(await ctl([...where(), "--user", "root", ...command], SECRET)).toEqual(done);
  });

  test.each(["299", "16777217", "99999999999999999999", "-5", "1.5", "1e4", "0x1000"])(
    "buffer-size %s is judged by the server: status 1, its text on stderr",
    async (size) => {
      const result = await ctl(["buffer-size", size, ...where(), "--user", "root"], SECRET);
      expect(result).toMatchObject({ status: 1, stdout: "" });
      expect(result.stderr).toContain(`a whole number from 300 to 16777216 in ASCII digits: it was '${size}'`);
    },
  );

  test("a refused login is status 3", async () => {
    const wrong = await ctl(["bytes", ...where(), "--user", "root"], { SOCKEYE_ADMIN_PASSWORD: "hunter2" });
    expect(wrong).toMatchObject({ status: 3, stdout: "" });
    expect(wrong.stderr).toStartWith("sockeye ctl: The server refused the login: wrong user name or password");
    expect(wrong.stderr).not.toContain("hunter2");
    // The name is that of the generated administrator, who does not exist here.
    expect((await ctl(["bytes", ...where()], SECRET)).status).toBe(3);
  });

  test("no server is status 4, with a password or without", async () => {
    const nowhere = ["--port", `${service.port === 1 ? 2 : service.port - 1}`, ...where().slice(2)];
    for (const environment of [SECRET, {}]) {
      const result = await ctl(["bytes", ...nowhere], environment);
      expect(result).toMatchObject({ status: 4, stdout: "" });
      expect(result.stderr).toStartWith("sockeye ctl: No admin server at 127.0.0.1");
    }
  });

  test("help, and nothing else, goes to stdout", async () => {
    const { status, stdout, stderr } = await ctl(["--help", "--bad"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const word of ["historical", "buffer-size", "--password-file", "Exit status"]) expect(stdout).toContain(word);
  });
});

describe("the password", () => {
  const user = ["--user", "root"];

  test("from a file, whose first line wins over the environment", async () => {
    const path = join(directory, "password");
    writeFileSync(path, "secret\nanother line\n");
    chmodSync(path, 0o644);
    const args = ["concurrent", ...where(), ...user, "--password-file", path];
    expect(await ctl(args, { SOCKEYE_ADMIN_PASSWORD: "wrong" })).toEqual({ status: 0, stdout: "7\n", stderr: "" });
  });

  test("from the state directory", async () => {
    const state = mkdtempSync(join(directory, "state-"));
    writeFileSync(join(state, PASSWORD_FILE), "secret\n", { mode: 0o600 });
    const environment = { SOCKEYE_STATE_DIR: state };
    expect((await ctl(["concurrent", ...where(), ...user], environment)).stdout).toBe("7\n");
    chmodSync(join(state, PASSWORD_FILE), 0o644);
    const unsafe = await ctl(["concurrent", ...where(), ...user], environment);
    expect(unsafe.status).toBe(2);
    expect(unsafe.stderr).toContain("others may read it: chmod 600 it");
  });

  test("from nowhere: what to do about it", async () => {
    const result = await ctl(["concurrent", ...where(), ...user]);
    expect(result).toMatchObject({ status: 2, stdout: "" });
    expect(result.stderr).toContain("SOCKEYE_ADMIN_PASSWORD");
  });

  test("never from an argument", async () => {
    const result = await ctl(["concurrent", "hunter2", "--password=hunter2", ...where()], SECRET);
    expect(result.status).toBe(2);
    expect(result.stderr).not.toContain("hunter2");
  });
});

describe("wrong usage is status 2, all of it at once", () => {
  test("every mistake has its line", async () => {
    const args = ["buffer-size", "many", "extra", "--port", "0", "--udp-port", "x", "--transport", "tcp", "--wrong"];
    const result = await ctl([...args, "--user", "", "--password-file", join(directory, "absent")]);
    expect(result).toMatchObject({ status: 2, stdout: "" });
    for (const mistake of [
      "--wrong: no such option",
      "argument 3: no further argument",
      'argument 2 is "many"; wanted: a number of bytes',
      '--port is "0"; wanted: an integer from 1 to 65535',
      '--udp-port is "x"; wanted: an integer from 1 to 65535',
      '--transport is "tcp"; wanted: auto, kernel, udp',
      "--user is 0 bytes long; wanted: 1 to 255 bytes",
      "ENOENT",
    ]) {
      expect(result.stderr).toContain(mistake);
    }
  });

  test.each([[[]], [["frobnicate"]], [["buffer-size"]], [["bytes", "1"]], [["buffer-size", "9".repeat(256)]]])(
    "%p",
    async (args) => {
      expect((await ctl(args, SECRET)).status).toBe(2);
    },
  );
});
