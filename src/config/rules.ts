/** The rules between keys of the configuration. Each looks at what was written, so that all mistakes come out at once. */

import { isLoopback, normalAddress } from "./address.ts";
import type { Mistake } from "./mistake.ts";

/** A table as it was written, not checked yet. */
export type RawTable = { readonly [key: string]: unknown };

export function isTable(value: unknown): value is RawTable {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** A mistake whose place is a path into the tables. */
export interface RawMistake extends Omit<Mistake, "path"> {
  readonly path: readonly (string | number)[];
}

/** The rules that `raw` breaks. Whatever has the wrong type is skipped: the schema has said so already. */
export function brokenRules(raw: RawTable): RawMistake[] {
  const socks = isTable(raw["socks"]) ? raw["socks"] : {};
  const users = Array.isArray(raw["users"]) ? raw["users"] : [];
  return [
    ...duplicateNames(users),
    ...contradictingAuth(socks["auth"], users.length),
    ...openToAll(socks, users.length),
  ];
}

function duplicateNames(users: readonly unknown[]): RawMistake[] {
  const seen = new Set<string>();
  return users.flatMap((user, index) => {
    const name = isTable(user) ? user["name"] : undefined;
    if (typeof name !== "string") return [];
    if (seen.has(name)) {
      return [{ path: ["users", index, "name"], value: JSON.stringify(name), wanted: "a name that no other user has" }];
    }
    seen.add(name);
    return [];
  });
}

function contradictingAuth(auth: unknown, userCount: number): RawMistake[] {
  if (auth === "none" && userCount > 0) {
    return [{ path: ["socks", "auth"], value: '"none"', wanted: '"users", since there are users; or no users' }];
  }
  if (auth === "users" && userCount === 0) {
    return [{ path: ["socks", "auth"], value: '"users"', wanted: "at least one user ([[users]], or --user)" }];
  }
  return [];
}

/** Safe by default: nobody opens a proxy to the world by forgetting something. */
function openToAll(socks: RawTable, userCount: number): RawMistake[] {
  if (userCount > 0 || socks["auth"] !== undefined || !Array.isArray(socks["listen"])) return [];
  return socks["listen"].flatMap((entry: unknown, index: number) => {
    const text = isTable(entry) ? entry["address"] : entry;
    const address = typeof text === "string" ? normalAddress(text) : undefined;
    if (address === undefined || isLoopback(address)) return [];
    return [
      {
        path: ["socks", "listen", index],
        value: JSON.stringify(address),
        wanted:
          'users ([[users]], or --user), since others can reach this address; or auth = "none" under [socks] in the configuration file, if everybody who can reach it may use the proxy',
      },
    ];
  });
}
