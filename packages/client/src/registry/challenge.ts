/** One way to authenticate that a server offers in a WWW-Authenticate header. */
export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*/y;
const SPACE = /[ \t]*/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/sy;

/**
 * Reads WWW-Authenticate headers (RFC 9110, section 11.6.1): each may hold several challenges, separated by the same comma as their
 * parameters. A challenge that is malformed, or names a parameter twice, is left out together with what follows it in the same header:
 * two readers could see two realms in it.
 */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  return headers.flatMap(parseHeader);
}

function parseHeader(text: string): Challenge[] {
  const challenges: Challenge[] = [];
  let at = 0;

  function match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at = pattern.lastIndex;
    return found;
  }

  function skipCommas(): boolean {
    match(SPACE);
    let any = false;
    while (text[at] === ",") {
      at++;
      any = true;
      match(SPACE);
    }
    return any;
  }

  /** A parameter at this place; undefined, and nothing taken, where there is none; null where it is malformed. */
  function parameter(): [name: string, value: string] | undefined | null {
    const start = at;
    const name = match(TOKEN)?.[0];
    match(SPACE);
    if (name === undefined || text[at] !== "=") {
      at = start;
      return undefined;
    }
    at++;
    match(SPACE);
    const quoted = match(QUOTED);
    const value = quoted === null ? match(TOKEN)?.[0] : quoted[1]?.replace(/\\(.)/gs, "$1");
    return value === undefined ? null : [name.toLowerCase(), value];
  }

  skipCommas();
  while (at < text.length) {
    const scheme = match(TOKEN)?.[0].toLowerCase();
    if (scheme === undefined) return challenges;
    const hasMore = text[at] === " " || text[at] === "\t";
    if (at < text.length && text[at] !== "," && !hasMore) return challenges;
    const parameters = new Map<string, string>();
    match(SPACE);
    // `NTLM TlRM…=`: a single opaque value instead of parameters.
    const afterScheme = at;
    const opaque = match(TOKEN68) !== null && (match(SPACE), at >= text.length || text[at] === ",");
    if (!opaque) at = afterScheme;
    for (let first = !opaque; ; first = false) {
      const start = at;
      if (!first && !skipCommas()) break;
      const found = parameter();
      if (found === null) return challenges;
      if (found === undefined) {
        if (first) continue;
        at = start;
        break;
      }
      const [name, value] = found;
      if (opaque || parameters.has(name)) return challenges;
      parameters.set(name, value);
    }
    challenges.push({ scheme, parameters });
    if (!skipCommas() && at < text.length) return challenges.slice(0, -1);
  }
  return challenges;
}
