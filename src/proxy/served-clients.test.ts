import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NO_PLACE, type Placed, ServedClients } from "./served-clients.ts";

const client = (): Placed => ({ place: NO_PLACE });

function all(clients: ServedClients<Placed>): Set<Placed> {
  const seen = [...clients];
  const different = new Set(seen);
  expect(different.size).toBe(seen.length);
  return different;
}

describe("ServedClients", () => {
  test("holds what a set would hold, whatever is added, removed and replaced", () => {
    const step = fc.tuple(fc.constantFrom("add", "remove", "replace"), fc.nat());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const clients = new ServedClients<Placed>();
        const model: Placed[] = [];
        for (const [kind, number] of steps) {
          if (kind === "add") {
            const added = client();
            clients.add(added);
            model.push(added);
          } else if (model.length > 0) {
            const [gone] = model.splice(number % model.length, 1) as [Placed];
            if (kind === "remove") {
              clients.remove(gone);
            } else {
              const later = client();
              clients.replace(gone, later);
              model.push(later);
            }
            expect(gone.place).toBe(NO_PLACE);
          }
          expect(clients.size).toBe(model.length);
          expect(all(clients)).toEqual(new Set(model));
        }
      }),
    );
  });

  test("removing one that is not there changes nothing", () => {
    const clients = new ServedClients<Placed>();
    const there = client();
    clients.add(there);
    clients.remove(client());
    const gone = client();
    clients.add(gone);
    clients.remove(gone);
    clients.remove(gone);
    expect(all(clients)).toEqual(new Set([there]));
  });

  test("one without a place cannot be replaced", () => {
    expect(() => new ServedClients<Placed>().replace(client(), client())).toThrow("without a place");
  });

  test("those that are still to be visited may be taken out", () => {
    const clients = new ServedClients<Placed>();
    const [first, second, third] = [client(), client(), client()];
    for (const each of [first, second, third]) clients.add(each);
    const seen: Placed[] = [];
    for (const each of clients) {
      seen.push(each);
      clients.remove(each);
      clients.remove(second);
    }
    expect(seen).toEqual([first, third]);
    expect(clients.size).toBe(0);
  });
});
