import { refuse } from "../refuse.js";
import type { ProcessUser } from "../spec/user.js";
import { type GroupEntry, parseGroups, parsePasswd } from "./user-files.js";

/** A user as written in a step or an image. A number is an id; a string is a name to look up in the image. */
export interface UserReference {
  readonly user: number | string;
  readonly group?: number | string | undefined;
}

/** runc refuses ids above this one. containerd 1.6 turned such an id into root (CVE-2024-40635). */
const MAX_ID = 2_147_483_647;
const ALLOWED = `uid, uid:gid, name or name:group, with ids up to ${MAX_ID}; example: 1000:1000`;

/**
 * Reads `uid`, `uid:gid`, `name`, `name:group` and the mixed forms. Digits alone are an id, never a name.
 *
 * @example
 * ```ts
 * parseUser("1000:docker"); // { user: 1000, group: "docker" }
 * ```
 * @param field the field that errors name: `user` for a step's user, `image` for an image's USER
 * @throws ExecutorError `refused` for any other text, and for ids above 2147483647.
 */
export function parseUser(text: string, field = "user"): UserReference {
  const [user = "", group, ...rest] = text.split(":");
  if (rest.length > 0) refuse(field, `${quote(text)} has more than one colon`, ALLOWED);
  return {
    user: parseIdentity(user, field),
    ...(group === undefined ? {} : { group: parseIdentity(group, field) }),
  };
}

/**
 * Reads the User of an image's config. An empty or missing User is root, as everywhere.
 *
 * @throws ExecutorError `refused`, with the field `image`.
 */
export function parseImageUser(text: string | null | undefined): UserReference {
  return text === undefined || text === null || text === "" ? { user: 0 } : parseUser(text, "image");
}

function parseIdentity(text: string, field: string): number | string {
  if (/^\d+$/.test(text)) {
    const id = Number(text);
    return id <= MAX_ID ? id : refuse(field, `${quote(text)} is out of range`, ALLOWED);
  }
  // Names as useradd and company directories make them. A colon or comma would separate fields in the files.
  if (!/^[A-Za-z0-9_.][A-Za-z0-9_.@\\-]{0,254}\$?$/.test(text)) {
    refuse(field, `${quote(text)} is neither an id nor a name`, ALLOWED);
  }
  return text;
}

/**
 * Contents of an image's `/etc/passwd` and `/etc/group`; `undefined` for a file that the image does not have.
 */
export interface UserFiles {
  readonly passwd?: Uint8Array | undefined;
  readonly group?: Uint8Array | undefined;
}

/** Tells which of the image's files {@link resolveUser} needs, so that the caller can skip the others. */
export function neededUserFiles(
  { user, group }: UserReference,
  groupAdd: readonly (number | string)[] = [],
): { passwd: boolean; group: boolean } {
  const isNamed = (identity: number | string | undefined): boolean => typeof identity === "string";
  return {
    passwd: isNamed(user) || group === undefined,
    group: isNamed(group) || group === undefined || groupAdd.some(isNamed),
  };
}

/**
 * Returns the ids of a process, by docker's rules.
 * - A uid without a group gets its gid from passwd, or 0 if passwd does not list it.
 * - Without a group, the user also gets its supplementary groups from the group file. With a group, it does
 *   not.
 * - Malformed lines, and lines with malformed ids, are skipped. If two lines match, the first counts.
 *
 * @param groupAdd further groups, by id or name
 * @throws ExecutorError `refused` for a name that the image does not have, and for a file that is too large.
 */
export function resolveUser(
  { user, group }: UserReference,
  files: UserFiles,
  groupAdd: readonly (number | string)[] = [],
): ProcessUser {
  const groups = (): GroupEntry[] => parseGroups(files.group);
  const added = groupAdd.map((identity) => groupId(identity, groups, "group_add"));

  if (typeof user === "number" && group !== undefined) {
    return { uid: user, gid: groupId(group, groups, "user"), additionalGids: added };
  }
  const entry = parsePasswd(files.passwd).find(
    ({ name, uid }) => (typeof user === "number" ? uid : name) === user,
  );
  if (entry === undefined && typeof user === "string") {
    refuse("user", `the image has no user ${quote(user)} in /etc/passwd`, "a user of the image, or a uid");
  }
  const uid = entry?.uid ?? (user as number);
  if (group !== undefined) return { uid, gid: groupId(group, groups, "user"), additionalGids: added };

  const supplementary =
    entry === undefined ? [] : groups().filter(({ members }) => members.includes(entry.name));
  return {
    uid,
    gid: entry?.gid ?? 0,
    additionalGids: [...new Set([...supplementary.map(({ gid }) => gid), ...added])],
  };
}

function groupId(identity: number | string, groups: () => GroupEntry[], field: string): number {
  if (typeof identity === "number") return identity;
  const found = groups().find(({ name }) => name === identity);
  if (found !== undefined) return found.gid;
  return refuse(
    field,
    `the image has no group ${quote(identity)} in /etc/group`,
    "a group of the image, or a gid",
  );
}

/**
 * Reads an entry of `group_add`: a gid or a group's name.
 *
 * @throws ExecutorError `refused`.
 */
export function parseGroupAdd(text: string | number): number | string {
  return parseIdentity(String(text), "group_add");
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
