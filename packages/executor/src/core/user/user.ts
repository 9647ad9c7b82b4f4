import { refuse } from "../refuse.js";
import type { ProcessUser } from "../spec/user.js";
import { type GroupEntry, parseGroups, parsePasswd } from "./user-files.js";

/** A user as somebody wrote it: numbers are ids, strings are names to be looked up in the image. */
export interface UserReference {
  readonly user: number | string;
  readonly group?: number | string | undefined;
}

/** runc refuses ids above this one; containerd 1.6 let such a one become root (CVE-2024-40635). */
const MAX_ID = 2_147_483_647;
const ALLOWED = `uid, uid:gid, name or name:group, ids up to ${MAX_ID}`;

/**
 * Reads `uid`, `uid:gid`, `name`, `name:group` and the mixed forms. What is all digits is an id, never a name.
 *
 * @param field what errors call it: `user` for a step's, `image` for an image's USER
 * @throws ExecutorError `refused`.
 */
export function parseUser(text: string, field = "user"): UserReference {
  const [user = "", group, ...rest] = text.split(":");
  if (rest.length > 0) refuse(field, `${quote(text)} has more than one colon`, ALLOWED);
  return {
    user: parseIdentity(user, field),
    ...(group === undefined ? {} : { group: parseIdentity(group, field) }),
  };
}

/** Reads an image config's User; an empty one is root, as everywhere. */
export function parseImageUser(text: string | null | undefined): UserReference {
  return text === undefined || text === null || text === "" ? { user: 0 } : parseUser(text, "image");
}

function parseIdentity(text: string, field: string): number | string {
  if (/^\d+$/.test(text)) {
    const id = Number(text);
    return id <= MAX_ID ? id : refuse(field, `${quote(text)} is out of range`, ALLOWED);
  }
  // What useradd and the directories of companies make; with neither colon nor comma, which separate in the files.
  if (!/^[A-Za-z0-9_.][A-Za-z0-9_.@\\-]{0,254}\$?$/.test(text)) {
    refuse(field, `${quote(text)} is neither an id nor a name`, ALLOWED);
  }
  return text;
}

/** The files of an image that users are looked up in, as they are; `undefined` where the image has none. */
export interface UserFiles {
  readonly passwd?: Uint8Array | undefined;
  readonly group?: Uint8Array | undefined;
}

/** Which of the image's files {@link resolveUser} will look at: an edge that reads none of the others saves the time. */
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
 * The ids that a process gets, by docker's rules.
 *
 * A uid alone takes its group from passwd, and 0 where passwd does not list it. Without a group, the user's supplementary ones come
 * from the group file; a group that is given stands alone. Lines that are not as they should be are skipped; of two that match, the
 * first counts. Malformed ids count as no line.
 *
 * @param groupAdd further groups, by id or name
 * @throws ExecutorError `refused` for a name that the image does not have, and for files that are too large to be what they claim.
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

/** Reads an entry of `group_add`: a gid or a group's name. */
export function parseGroupAdd(text: string | number): number | string {
  return parseIdentity(String(text), "group_add");
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
