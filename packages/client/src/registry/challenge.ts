/** One way to authenticate that a server offers in a WWW-Authenticate header. */
export interface Challenge {
  /** In lower case, for example `basic` or `bearer`. */
  readonly scheme: string;
  /** By name, in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const SEPARATORS = /[ \t\r\n,]*/y;
const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/sy;
/** Allows more than a token of RFC 9110, because some servers send a URL without quotes. */
const PLAIN = /[^\s,"]*/y;
/** A value without a name after the scheme: `NTLM TlRM…=`. */
const OPAQUE = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
const SCHEME_END = /[ \t]+|(?=,|$)/y;

/**
 * Reads WWW-Authenticate headers (RFC 9110, section 11.6.1). Each header can contain several challenges. The
 * parser is as lenient as Go's clients. Blanks may replace a missing comma. If a part of a header cannot be
 * read, the rest of that header is ignored, but not the challenges before it. A challenge that gives two
 * values for one parameter is left out: two readers could see two different realms in it.
 */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  return headers.flatMap(parseHeader);
}

function parseHeader(text: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };

  /** Leaves out the challenge in which reading stopped, unless at least one parameter of it was read. */
  const readSoFar = (): Challenge[] =>
    challenges.at(-1)?.parameters.size === 0 ? challenges.slice(0, -1) : challenges;

  for (;;) {
    take(SEPARATORS);
    if (at === text.length) return challenges;
    const name = take(TOKEN)?.[0].toLowerCase();
    if (name === undefined) return readSoFar();
    const parameters = challenges.at(-1)?.parameters;
    if (parameters !== undefined && take(EQUALS) !== null) {
      const quoted = take(QUOTED);
      if (quoted === null && text[at] === '"') return readSoFar();
      const value = quoted === null ? (take(PLAIN)?.[0] ?? "") : (quoted[1] ?? "").replace(/\\(.)/gs, "$1");
      if ((parameters.get(name) ?? value) !== value) return challenges.slice(0, -1);
      parameters.set(name, value);
    } else {
      if (take(SCHEME_END) === null) return readSoFar();
      challenges.push({ scheme: name, parameters: new Map() });
      take(OPAQUE);
    }
  }
}
