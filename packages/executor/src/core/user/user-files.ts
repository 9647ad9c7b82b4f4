import { refuse } from "../refuse.js";

/** The fields of a passwd(5) line that are used here. */
export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The fields of a group(5) line that are used here. */
export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The largest passwd or group file that is read, in bytes. A larger file is refused before it is parsed. */
export const MAX_USER_FILE_BYTES = 1024 * 1024;

/**
 * Returns the well-formed lines of a passwd file; an empty list for `undefined`.
 *
 * @throws ExecutorError `refused` for a file above {@link MAX_USER_FILE_BYTES}.
 */
export function parsePasswd(file: Uint8Array | undefined): PasswdEntry[] {
  return fieldsOf(file, "/etc/passwd").flatMap(([name, , uidText, gidText]) => {
    const [uid, gid] = [parseId(uidText), parseId(gidText)];
    return isName(name) && uid !== undefined && gid !== undefined ? [{ name, uid, gid }] : [];
  });
}

/**
 * Returns the well-formed lines of a group file; an empty list for `undefined`.
 *
 * @throws ExecutorError `refused` for a file above {@link MAX_USER_FILE_BYTES}.
 */
export function parseGroups(file: Uint8Array | undefined): GroupEntry[] {
  return fieldsOf(file, "/etc/group").flatMap(([name, , gidText, members = ""]) => {
    const gid = parseId(gidText);
    return isName(name) && gid !== undefined ? [{ name, gid, members: members.split(",") }] : [];
  });
}

function fieldsOf(file: Uint8Array | undefined, path: string): string[][] {
  if (file === undefined) return [];
  if (file.length > MAX_USER_FILE_BYTES) {
    refuse("image", `${path} of the image has ${file.length} bytes`, `up to ${MAX_USER_FILE_BYTES} bytes`);
  }
  return toText(file)
    .split("\n")
    .map((line) => line.split(":"));
}

/**
 * Decodes each byte as one character. Names to look up are ASCII; other bytes only have to differ from them.
 */
function toText(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

function isName(name: string | undefined): name is string {
  return name !== undefined && name !== "" && !/^[+-]/.test(name);
}

function parseId(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= 2_147_483_647 ? id : undefined;
}
