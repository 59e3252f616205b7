import { expect, test } from "bun:test";
import fc from "fast-check";
import { RecencyList, Recent } from "./recency-list.ts";

class Numbered extends Recent<Numbered> {
  readonly number: number;
  constructor(number: number) {
    super();
    this.number = number;
  }
}

test("keeps the order of the last uses, both ways, whatever is added, touched and removed", () => {
  const step = fc.tuple(fc.constantFrom("add", "touch", "remove"), fc.nat());
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const list = new RecencyList<Numbered>();
      const model: Numbered[] = [];
      for (const [index, [kind, number]] of steps.entries()) {
        if (kind === "add") {
          const entry = new Numbered(index);
          list.add(entry);
          model.push(entry);
        } else if (model.length > 0) {
          const [entry] = model.splice(number % model.length, 1) as [Numbered];
          if (kind === "touch") {
            list.touch(entry);
            model.push(entry);
          } else {
            list.remove(entry);
            expect([entry.older, entry.newer]).toEqual([undefined, undefined]);
          }
        }
        const forwards: Numbered[] = [];
        for (let at = list.oldest; at !== undefined; at = at.newer) forwards.push(at);
        expect(forwards.map((entry) => entry.number)).toEqual(model.map((entry) => entry.number));
        const backwards: Numbered[] = [];
        for (let at = forwards.at(-1); at !== undefined; at = at.older) backwards.unshift(at);
        expect(backwards.map((entry) => entry.number)).toEqual(model.map((entry) => entry.number));
      }
    }),
  );
});
