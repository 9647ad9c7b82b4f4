import { refuse } from "../refuse.js";

/** A line of passwd(5), as far as it matters here. */
export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** A line of group(5). */
export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** An image's passwd or group file may have this many bytes; more is refused before it is looked at. */
export const MAX_USER_FILE_BYTES = 1024 * 1024;

/** The well-formed lines of a passwd file. */
export function parsePasswd(file: Uint8Array | undefined): PasswdEntry[] {
  return fieldsOf(file, "/etc/passwd").flatMap(([name, , uidText, gidText]) => {
    const [uid, gid] = [parseId(uidText), parseId(gidText)];
    return isName(name) && uid !== undefined && gid !== undefined ? [{ name, uid, gid }] : [];
  });
}

/** The well-formed lines of a group file. */
export function parseGroups(file: Uint8Array | undefined): GroupEntry[] {
  return fieldsOf(file, "/etc/group").flatMap(([name, , gidText, members = ""]) => {
    const gid = parseId(gidText);
    return isName(name) && gid !== undefined ? [{ name, gid, members: members.split(",") }] : [];
  });
}

function fieldsOf(file: Uint8Array | undefined, path: string): string[][] {
  if (file === undefined) return [];
  if (file.length > MAX_USER_FILE_BYTES) {
    refuse("image", `its ${path} has ${file.length} bytes`, `up to ${MAX_USER_FILE_BYTES}`);
  }
  return toText(file)
    .split("\n")
    .map((line) => line.split(":"));
}

/** One character a byte: the names that are asked for are ASCII, and everything else only has to stay apart from them. */
function toText(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192)
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

function isName(name: string | undefined): name is string {
  return name !== undefined && name !== "" && !/^[+-]/.test(name);
}

function parseId(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= 2_147_483_647 ? id : undefined;
}
