/**
 * The parts of a terminal that bars need: the lines on the screen, and the lines that scrolled off its top.
 */
export class Screen {
  readonly scrolledOff: string[] = [];
  readonly #lines: string[];
  readonly #columns: number;
  #row = 0;
  #column = 0;

  constructor({ rows, columns }: { readonly rows: number; readonly columns: number }) {
    this.#lines = Array.from({ length: rows }, () => "");
    this.#columns = columns;
  }

  /** The lines on the screen, without empty lines at the end. */
  get lines(): string[] {
    const last = this.#lines.findLastIndex((line) => line !== "");
    return this.#lines.slice(0, last + 1);
  }

  /** @param output as a terminal gets it: with `\r\n` between lines. */
  write(output: string): void {
    const [plain = "", ...controlled] = output.split("\x1b");
    this.#print(plain);
    for (const part of controlled) {
      const [sequence = "", count = "", final = ""] = /^\[(\d*)([A-Za-z])/.exec(part) ?? [];
      this.#control(final, count);
      this.#print(part.slice(sequence.length));
    }
  }

  #print(text: string): void {
    for (const character of text) {
      if (character === "\r") this.#column = 0;
      else if (character === "\n") this.#down();
      else this.#put(character);
    }
  }

  #control(final: string, count: string): void {
    // At the top the cursor stays, as on every terminal.
    if (final === "A") this.#row = Math.max(this.#row - Number(count || 1), 0);
    else if (final === "K" && count === "2") this.#lines[this.#row] = "";
    else if (final === "J" && count === "") {
      this.#lines[this.#row] = (this.#lines[this.#row] ?? "").slice(0, this.#column);
      this.#lines.fill("", this.#row + 1);
    } else throw new Error(`this terminal does not know ESC[${count}${final}`);
  }

  #put(character: string): void {
    if (this.#column === this.#columns) {
      this.#column = 0;
      this.#down();
    }
    const line = (this.#lines[this.#row] ?? "").padEnd(this.#column);
    this.#lines[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
    this.#column++;
  }

  #down(): void {
    if (this.#row < this.#lines.length - 1) {
      this.#row++;
      return;
    }
    this.scrolledOff.push(this.#lines.shift() ?? "");
    this.#lines.push("");
  }
}
