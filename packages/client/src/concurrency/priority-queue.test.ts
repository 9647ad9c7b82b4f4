import fc from "fast-check";
import { expect, test } from "vitest";
import { createPriorityQueue } from "./priority-queue.js";

interface Item {
  readonly at: number;
  readonly priority: number;
}

/** A number adds an item of this priority; `remove` removes one of those that were ever added. */
const actions = fc.array(
  fc.oneof(
    fc.record({ add: fc.integer({ min: -2, max: 2 }) }),
    fc.record({ remove: fc.nat(40) }),
    fc.constant({ shift: true } as const),
  ),
  { maxLength: 40 },
);

test("is a list that is sorted by priority, then by the order of coming", () => {
  fc.assert(
    fc.property(actions, (list) => {
      const queue = createPriorityQueue<Item>();
      const added: Item[] = [];
      let model: Item[] = [];
      for (const action of list) {
        if ("add" in action) {
          const item = { at: added.length, priority: action.add };
          expect(queue.countBefore(action.add)).toBe(
            model.filter(({ priority }) => priority >= action.add).length,
          );
          queue.add(item, action.add);
          added.push(item);
          model = [...model, item].toSorted((a, b) => b.priority - a.priority || a.at - b.at);
        } else if ("remove" in action) {
          const item = added[action.remove];
          if (item === undefined) continue;
          expect(queue.remove(item, item.priority)).toBe(model.includes(item));
          model = model.filter((other) => other !== item);
        } else expect(queue.shift()).toBe(model.shift());
      }
      for (const item of model) expect(queue.shift()).toBe(item);
      expect(queue.shift()).toBeUndefined();
    }),
  );
});
