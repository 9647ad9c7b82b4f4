/** One way to authenticate that a server offers in a WWW-Authenticate header. */
export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Up to the next comma outside quotes. */
const ELEMENT = /((?:[^",]|"(?:[^"\\]|\\.)*")*)(?:,|$)/sy;
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const PARAMETER = new RegExp(`^(${TOKEN})[ \\t]*=[ \\t]*(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)")$`, "s");
/** A scheme, and with it its first parameter or a single opaque value (`NTLM TlRM…=`). */
const START = new RegExp(`^(${TOKEN})(?:[ \\t]+(.+))?$`, "s");
const OPAQUE = /^[A-Za-z0-9\-._~+/]+=*$/;

/**
 * Reads WWW-Authenticate headers (RFC 9110, section 11.6.1): each may hold several challenges, separated by the same comma as their
 * parameters. A challenge that is malformed, or names a parameter twice, is left out together with what follows it in the same header:
 * two readers could see two realms in it.
 */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  return headers.flatMap(parseHeader);
}

function parseHeader(text: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  for (const element of elements(text)) {
    let parameter = element;
    if (element !== undefined && !PARAMETER.test(element)) {
      const [, scheme, rest] = START.exec(element) ?? [];
      if (scheme === undefined) return challenges.slice(0, -1);
      challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
      if (rest === undefined || OPAQUE.test(rest)) continue;
      parameter = rest;
    }
    const [, name = "", plain, quoted] = PARAMETER.exec(parameter ?? "") ?? [];
    const parameters = challenges.at(-1)?.parameters;
    const isTwice = parameters?.has(name.toLowerCase()) === true;
    if (name === "" || parameters === undefined || isTwice) return challenges.slice(0, -1);
    parameters.set(name.toLowerCase(), plain ?? (quoted ?? "").replace(/\\(.)/gs, "$1"));
  }
  return challenges;
}

/** What stands between the commas, without what is empty; undefined for a quote that does not end. */
function* elements(text: string): Generator<string | undefined> {
  for (let at = 0; at < text.length; ) {
    ELEMENT.lastIndex = at;
    const match = ELEMENT.exec(text);
    if (match === null) return yield undefined;
    const element = withoutBlanks(match[1] ?? "");
    if (element !== "") yield element;
    at = ELEMENT.lastIndex;
  }
}

/** A pattern for the end would try again from each blank in the middle. */
function withoutBlanks(text: string): string {
  const isBlank = (at: number): boolean => text[at] === " " || text[at] === "\t";
  let start = 0;
  let end = text.length;
  while (isBlank(start)) start++;
  while (end > start && isBlank(end - 1)) end--;
  return text.slice(start, end);
}
