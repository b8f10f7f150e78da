import { expect, test } from "bun:test";
import { Admission, isRefusal, type Visit } from "../src/transport-http-admission.ts";

/** An admission whose visits stay open until told. */
class Door {
  readonly admission: Admission;
  private readonly open = new Map<Visit, { value: boolean }>();

  constructor(limits: ConstructorParameters<typeof Admission>[0]) {
    this.admission = new Admission(limits);
  }

  enter(address: string): Visit {
    const isOpen = { value: true };
    const visit = this.admission.enter(address, () => isOpen.value);
    this.open.set(visit, isOpen);
    return visit;
  }

  leave(visit: Visit): void {
    visit.answered();
    this.open.get(visit)!.value = false;
  }

  refusal(act: () => unknown): string | undefined {
    try {
      act();
    } catch (error) {
      if (isRefusal(error)) return error.code;
      throw error;
    }
    return undefined;
  }
}

test("of one address as many as may be, and no more until one has left", () => {
  const door = new Door({ visitsPerAddressMaxCount: 3 });
  const visits = [1, 2, 3].map(() => door.enter("a"));
  expect(door.refusal(() => door.enter("a"))).toBe("connections-per-address");
  expect(door.refusal(() => door.enter("b"))).toBeUndefined();
  visits[0]!.answered(); // Handed over, but the client has not taken it.
  expect(door.refusal(() => door.enter("a"))).toBe("connections-per-address");
  door.leave(visits[0]!);
  expect(door.refusal(() => door.enter("a"))).toBeUndefined();
  expect(door.refusal(() => door.enter("a"))).toBe("connections-per-address");
  expect(door.admission.refusedCounts.get("connections-per-address")).toBe(3);
});

test("in all as many as may be, whoever they are", () => {
  const door = new Door({ visitMaxCount: 2 });
  const first = door.enter("a");
  door.enter("b");
  expect(door.refusal(() => door.enter("c"))).toBe("connections");
  expect(door.admission.openCount).toBe(2);
  door.leave(first);
  expect(door.admission.openCount).toBe(1);
  expect(door.refusal(() => door.enter("c"))).toBeUndefined();
});

test("a clone may begin beside one fewer than the limit, and goes on whatever has begun since", () => {
  const door = new Door({ clonesPerAddressMaxCount: 2 });
  const page = (isFirst: boolean, address = "a") => {
    const visit = door.enter(address);
    visit.beginPage(isFirst);
    return visit;
  };
  const first = page(true);
  page(true);
  expect(door.refusal(() => page(true))).toBe("clones-per-address");
  expect(door.refusal(() => page(true, "b"))).toBeUndefined();
  expect(door.refusal(() => page(false))).toBeUndefined();
  door.leave(first);
  expect(door.refusal(() => page(true))).toBe("clones-per-address"); // The later page counts.
  expect(door.refusal(() => door.enter("a"))).toBeUndefined();
});
