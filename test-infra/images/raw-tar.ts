/** An entry of a tar. It is written exactly as given, even if it is wrong. */
export interface RawTarEntry {
  /** At most 100 bytes. */
  readonly name: string;
  /** The type flag. @default "0" (a file) */
  readonly type?: string;
  readonly linkname?: string;
  readonly body?: string | Uint8Array;
  /** The size in the header, if it differs from the body's. */
  readonly size?: number;
  readonly mode?: number;
  /** v7 has no magic, and no fields after the link's name. @default "ustar" */
  readonly format?: "ustar" | "gnu" | "v7";
  /** Leave out the padding that fills the last block. */
  readonly isUnpadded?: boolean;
}

const BLOCK = 512;
const MAGIC = { ustar: "ustar\x0000", gnu: "ustar  \0", v7: "" } as const;

/** The end of a tar: two blocks of zeros. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

export function rawTarEntry(entry: RawTarEntry): Buffer {
  const { name, type = "0", linkname = "", body = "", mode = 0o644, format = "ustar" } = entry;
  const bytes = Buffer.from(body);
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\0`;
  header.write(name, 0);
  header.write(octal(mode, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(entry.size ?? bytes.byteLength, 11), 124);
  header.write(octal(0, 11), 136);
  header.write(type, 156);
  header.write(linkname, 157);
  header.write(MAGIC[format], 257, "latin1");
  header.fill(" ", 148, 156);
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )} `,
    148,
  );
  const padding = entry.isUnpadded === true ? 0 : -bytes.byteLength & (BLOCK - 1);
  return Buffer.concat([header, bytes, Buffer.alloc(padding)]);
}

/** GNU's record that gives the next entry a long name (`L`) or a long link target (`K`). */
export function gnuLong(type: "L" | "K", value: string): Buffer {
  return rawTarEntry({ name: "././@LongLink", type, body: `${value}\0`, format: "gnu" });
}

/** PAX records for the next entry (`x`) or for all entries (`g`). */
export function paxHeader(records: Readonly<Record<string, string>>, type: "x" | "g" = "x"): Buffer {
  const body = Object.entries(records)
    .map(([key, value]) => {
      const rest = ` ${key}=${value}\n`;
      let length = Buffer.byteLength(rest);
      while (length !== Buffer.byteLength(`${length}${rest}`)) length = Buffer.byteLength(`${length}${rest}`);
      return `${length}${rest}`;
    })
    .join("");
  return rawTarEntry({ name: "PaxHeaders/x", type, body });
}
