/**
 * The lines of versions of a text as numbers: equal for equal lines, in whichever version they are.
 *
 * A version is compared with the one read before as bytes. Where whole lines are the same their numbers are copied, many at a
 * time; other lines are looked up by their text, and the place where the version goes on like the one before is looked for
 * near by. However badly that is guessed, the numbers are the same. What a text and its lines are: `diff-text.ts`.
 */
import { latin1 } from "./bytes.ts";
import { withoutMark } from "./diff-text.ts";
import { DIFF_LINE_MAX_BYTES } from "./limits.ts";

/** Lines up to which the version before is searched for a line, either way. */
const SEARCH_LINE_COUNT = 64;
const [NEWLINE, RETURN] = [10, 13];

interface Version {
  readonly bytes: Buffer;
  /** By line: where it begins. One more: the end of the last line that ends in a newline. */
  readonly starts: Int32Array;
  readonly numbers: Int32Array;
}

export class LineNumbers {
  /** By number: the line without a carriage return at its end, raw. */
  readonly texts: string[] = [];
  private readonly byText = new Map<string, number>();
  private before: Version | undefined;

  /** By line of `content`: its number. `undefined` when it is binary. */
  read(content: Uint8Array): Int32Array | undefined {
    const marked = withoutMark(content);
    const bytes = Buffer.from(marked.buffer, marked.byteOffset, marked.byteLength);
    if (bytes.includes(0)) return undefined;
    const made = this.number(bytes);
    if (made === undefined) return undefined;
    this.before = made;
    return made.numbers;
  }

  private number(bytes: Buffer): Version | undefined {
    const { before } = this;
    const wholeCount = before === undefined ? 0 : before.starts.length - 1;
    let [starts, numbers] = [new Int32Array(wholeCount + 64), new Int32Array(wholeCount + 64)];
    const room = (count: number) => {
      if (count < numbers.length) return;
      [starts, numbers] = [grown(starts, count), grown(numbers, count)];
    };
    let [line, at, like, isEnded] = [0, 0, 0, true];
    while (at < bytes.length) {
      const count = before === undefined ? 0 : sameLines(before, like, bytes, at);
      if (count > 0) {
        room(line + count);
        numbers.set(before!.numbers.subarray(like, like + count), line);
        const shift = at - before!.starts[like]!;
        for (let i = 0; i < count; i++) starts[line + i] = before!.starts[like + i]! + shift;
        at = before!.starts[like + count]! + shift;
        line += count;
        like += count;
        continue;
      }
      const newline = bytes.indexOf(NEWLINE, at);
      isEnded = newline >= 0;
      const end = isEnded ? newline : bytes.length;
      if (end - at > DIFF_LINE_MAX_BYTES) return undefined;
      const number = this.numberOf(latin1(bytes, at, bytes[end - 1] === RETURN && end > at ? end - 1 : end));
      room(line + 1);
      starts[line] = at;
      numbers[line++] = number;
      at = end + 1;
      if (before !== undefined) like = near(before.numbers, like, number);
    }
    const ended = isEnded ? line : line - 1;
    starts[ended] = isEnded ? bytes.length : starts[ended]!;
    return { bytes, starts: starts.slice(0, ended + 1), numbers: numbers.slice(0, line) };
  }

  private numberOf(text: string): number {
    let number = this.byText.get(text);
    if (number === undefined) {
      number = this.texts.length;
      this.texts.push(text);
      this.byText.set(text, number);
    }
    return number;
  }
}

/** How many lines of `before`, from line `like` on, `bytes` has at `at`. */
function sameLines({ bytes: others, starts }: Version, like: number, bytes: Buffer, at: number): number {
  const whole = starts.length - 1;
  const isSame = (from: number, to: number) => {
    const [start, end] = [starts[from]!, starts[to]!];
    const first = at + start - starts[like]!;
    return (
      first + end - start <= bytes.length &&
      others.compare(bytes, first, first + end - start, start, end) === 0
    );
  };
  let [count, step, factor] = [0, 1, 4];
  while (like + count < whole) {
    const more = Math.min(step, whole - like - count);
    if (isSame(like + count, like + count + more)) {
      count += more;
      step *= factor;
    } else if (more === 1) break;
    else [step, factor] = [more >> 1, 1];
  }
  return count;
}

/** The line after the nearest one to `like` that has this number; `like` when none is near. */
function near(numbers: Int32Array, like: number, number: number): number {
  for (let far = 0; far < SEARCH_LINE_COUNT; far++) {
    if (numbers[like + far] === number) return like + far + 1;
    if (numbers[like - far] === number) return like - far + 1;
  }
  return like;
}

function grown(from: Int32Array<ArrayBuffer>, count: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(count * 2);
  to.set(from);
  return to;
}
