import { expectTypeOf, test } from "vitest";
import type { PROCESS_FIELDS } from "./core/step/session-fields.js";
import type { StepInput } from "./core/step/step-input.js";
import type { SessionInput } from "./session.js";

// The compiler checks it.
test("the fields of a session in a step file are those of SessionInput", () => {
  expectTypeOf<keyof typeof PROCESS_FIELDS>().toEqualTypeOf<Exclude<keyof StepInput, keyof SessionInput>>();
});
