import { SCRIPT_DIRECTORY } from "../policy/reserved-paths.js";
import { refuse } from "../refuse.js";
import type { ArchiveEntry } from "./archive.js";

/**
 * Where a session's container has the program that is its first process. It passes on the signals that come
 * from outside of the container. After SIGTERM it ends as soon as it is the only process.
 */
export const WAITER_PATH = `${SCRIPT_DIRECTORY}/wait`;
/** Its exit code for a path that is not a regular file. Other codes are the system's numbers of errors. */
export const NOT_A_FILE = 200;

/** Machine code of the program, whose source is in `waiter/`. Names are Go's, as images have them. */
const PROGRAMS: Readonly<
  Record<string, { readonly machine: number; readonly page: number; readonly code: string }>
> = {
  amd64: {
    machine: 0x3e,
    page: 0x1000,
    code:
      "WFmD+AIPhJoAAAC4DQAAAL8RAAAASI01HAEAADHSQboIAAAADwW4DgAAADH/SI01JAEAADHSDwUx20iB7IAAAAC4gAAAAE" +
      "iNPQsBAABIieZIidoPBYXAfiqDfCQIAHUjg3wkEAB1HInFica4PgAAAL//////DwWD/Q91B0iNHd0AAABIhdt0ubg+AAAA" +
      "v/////8x9g8Fg/j9daa/jwAAAOmFAAAAX7gCAAAAvgAICAAx0g8FhcB4aonDSIHsAAABALgFAAAAid9IieYPBYXAeFGLRC" +
      "QYJQDwAAA9AIAAAHU6McCJ30iJ5roAAAEADwWFwHgvdDNJieRBicW4AQAAAL8BAAAATInmRInqDwWFwHgRSQHEQSnFdeLr" +
      "xr/IAAAA6wj32InH6wIx/7g8AAAADwUPH4AAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD//////////w" +
      "AAAAAAAAAAAC0xAQAAAAA=",
  },
  arm64: {
    machine: 0xb7,
    page: 0x1_0000,
    code:
      "6QNA+T8JAPFgBQBUIAKA0sEKABACAIDSAwGA0sgQgNIBAADUAACA0gELABACAIDS6BCA0gEAANQTAIDS/wMC0UAKABDhAw" +
      "CR4gMTqgMBgNIoEYDSAQAA1B8AAHGtAQBU6QtAuWkBADXpE0C5KQEANfQDACrhAwAqAACAEigQgNIBAADUnz4AcUEAAFQz" +
      "CAAQk/3/tAAAgBIBAIDSKBCA0gEAANQfDAAxwfz/VOARgNIsAAAU4QtA+WAMgJICAIHSAgGg8gMAgNIIB4DSAQAA1CAE+D" +
      "fzAwAq/0NA0eADEyrhAwCRCAqA0gEAANRAA/g36RNAuSkNFBI/IUBxgQIAVOADEyrhAwCRIgCg0ugHgNIBAADUAAL4NyAC" +
      "ADT0AwCR9QMAKiAAgNLhAxSq4gMVKggIgNIBAADU4AD4N5RCIIu1AgBrAf//VO7//xcAGYBSBAAAFOADAEsCAAAUAACAUq" +
      "gLgNIBAADUAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD//////////wAAAAAAAAAAAC0xAQAAAAA=",
  },
};

/** Where programs without position independence usually begin. */
const BASE = 0x40_0000n;
const FILE_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const CODE_AT = FILE_HEADER_BYTES + 2 * PROGRAM_HEADER_BYTES;

/**
 * Returns the program that waits as the first process of a session's container, and its directory.
 *
 * @param architecture that of the daemon's machine.
 * @throws ExecutorError `refused` for an architecture without such a program.
 */
export function waiterEntries(
  architecture: string,
  owner: { readonly uid: number; readonly gid: number },
): ArchiveEntry[] {
  return [
    { type: "directory", name: SCRIPT_DIRECTORY.slice(1), mode: 0o755, ...owner },
    { type: "file", name: WAITER_PATH.slice(1), contents: createWaiter(architecture), mode: 0o555, ...owner },
  ];
}

/** Returns the program as a static ELF file. Source: elf(5). */
function createWaiter(architecture: string): Uint8Array {
  const program = Object.hasOwn(PROGRAMS, architecture) ? PROGRAMS[architecture] : undefined;
  if (program === undefined)
    return refuse(
      "session",
      `the daemon's machine is a ${architecture}`,
      `a machine of ${Object.keys(PROGRAMS).join(" or ")}`,
    );
  const code = Uint8Array.from(atob(program.code), (character) => character.charCodeAt(0));
  const file = new Uint8Array(CODE_AT + code.byteLength);
  const view = new DataView(file.buffer);
  const write = {
    2: (at: number, value: number) => view.setUint16(at, value, true),
    4: (at: number, value: number) => view.setUint32(at, value, true),
    8: (at: number, value: bigint) => view.setBigUint64(at, value, true),
  };
  // The magic number, 64 bits, little-endian, version 1.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  write[2](16, 2);
  write[2](18, program.machine);
  write[4](20, 1);
  write[8](24, BASE + BigInt(CODE_AT));
  write[8](32, BigInt(FILE_HEADER_BYTES));
  write[2](52, FILE_HEADER_BYTES);
  write[2](54, PROGRAM_HEADER_BYTES);
  write[2](56, 2);
  // PT_LOAD of the whole file, readable and executable.
  write[4](64, 1);
  write[4](68, 5);
  write[8](80, BASE);
  write[8](88, BASE);
  write[8](96, BigInt(file.byteLength));
  write[8](104, BigInt(file.byteLength));
  write[8](112, BigInt(program.page));
  // PT_GNU_STACK: the stack is not executable.
  write[4](120, 0x6474_e551);
  write[4](124, 6);
  file.set(code, CODE_AT);
  return file;
}
