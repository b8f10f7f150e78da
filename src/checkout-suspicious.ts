/**
 * Content that may have got into a commit by mistake: binary data, very long lines, line ends of other
 * systems, text that is not UTF-8, very large files. The settings `binary-glob`, `crlf-glob` (or
 * `crnl-glob`) and `encoding-glob` name files that are meant so; `large-file-size` is the size, in bytes, from
 * which a file is large (200,000,000; 0: none is).
 *
 * Source: Fossil `src/checkin.c`, `src/lookslike.c`.
 */
import { strictText } from "./bytes.ts";
import type { GlobList } from "./checkout-glob.ts";
import type { CheckoutSettings } from "./checkout-settings.ts";

const LARGE_DEFAULT_BYTES = 200_000_000;
/** A longer line, counted with its end, makes a file binary, as in stock. */
const LINE_MAX_BYTES = 32_767;
/** The same in UTF-16. */
const LINE_MAX_UNITS = 16_383;
const [NUL, LF, CR] = [0, 10, 13];

export interface ContentRules {
  readonly binary: GlobList;
  readonly lineEnds: GlobList;
  readonly encoding: GlobList;
  /** 0: any size. */
  readonly largeBytes: number;
}

export function contentRules(settings: CheckoutSettings): ContentRules {
  const large = Number.parseInt(settings.get("large-file-size") ?? "", 10);
  return {
    binary: settings.globs("binary-glob"),
    lineEnds: settings.globs(settings.get("crlf-glob") === undefined ? "crnl-glob" : "crlf-glob"),
    encoding: settings.globs("encoding-glob"),
    largeBytes: Number.isNaN(large) ? LARGE_DEFAULT_BYTES : large,
  };
}

export interface Suspicion {
  /** In words of stock's: `binary data`, `CR/LF line endings`, … */
  readonly what: string;
  /** The setting that allows it; `undefined`: none does. */
  readonly setting: string | undefined;
}

/** What is odd about the content of a file; `undefined` when nothing is, or it is meant so. */
export function suspicionOf(name: string, content: Uint8Array, rules: ContentRules): Suspicion | undefined {
  if (rules.largeBytes > 0 && content.length > rules.largeBytes) {
    return { what: `more than ${rules.largeBytes} bytes`, setting: "large-file-size" };
  }
  const isUtf16 = hasUtf16Mark(content);
  const units = isUtf16 ? utf16Units(content) : content;
  const isBinary = binaryReason(units, isUtf16 ? LINE_MAX_UNITS : LINE_MAX_BYTES);
  if (isBinary !== undefined) {
    return rules.binary.matches(name) ? undefined : { what: isBinary, setting: "binary-glob" };
  }
  const ends = lineEnds(units);
  const [endsOk, encodingOk] = [rules.lineEnds.matches(name), rules.encoding.matches(name)];
  if (isUtf16 && ends !== undefined) {
    return endsOk && encodingOk
      ? undefined
      : { what: `${ends} and Unicode`, setting: "crlf-glob and encoding-glob" };
  }
  if (isUtf16) return encodingOk ? undefined : { what: "Unicode", setting: "encoding-glob" };
  if (strictText(content) === undefined) {
    return encodingOk ? undefined : { what: "invalid UTF-8", setting: "encoding-glob" };
  }
  if (ends === undefined || endsOk) return undefined;
  return { what: ends, setting: "crlf-glob" };
}

type Units = Uint8Array | Uint16Array;

/** Not UTF-32, whose mark begins likewise. */
function hasUtf16Mark(content: Uint8Array): boolean {
  if (content.length < 2 || content.length % 2 !== 0) return false;
  if (content.length >= 4 && content[2] === 0 && content[3] === 0) return false;
  const mark = content[0]! * 256 + content[1]!;
  return mark === 0xfeff || mark === 0xfffe;
}

function utf16Units(content: Uint8Array): Uint16Array {
  const [high, low] = content[0] === 0xfe ? [0, 1] : [1, 0];
  return Uint16Array.from(
    { length: content.length / 2 },
    (_, i) => content[2 * i + high]! * 256 + content[2 * i + low]!,
  );
}

function binaryReason(units: Units, lineMax: number): string | undefined {
  if (units.includes(NUL)) return "binary data";
  let start = 0;
  for (let end = units.indexOf(LF); end >= 0; end = units.indexOf(LF, start)) {
    if (end + 1 - start > lineMax) return "long lines";
    start = end + 1;
  }
  return units.length - start > lineMax ? "long lines" : undefined;
}

/** What is odd about the ends of lines: `undefined` where there is no CR. */
function lineEnds(content: Units): string | undefined {
  let [pairs, loneCr, loneLf] = [0, 0, 0];
  for (let at = content.indexOf(CR); at >= 0; at = content.indexOf(CR, at + 1)) {
    if (content[at + 1] === LF) pairs++;
    else loneCr++;
  }
  if (pairs + loneCr === 0) return undefined;
  for (let at = content.indexOf(LF); at >= 0; at = content.indexOf(LF, at + 1)) {
    if (at === 0 || content[at - 1] !== CR) loneLf++;
  }
  if (loneCr > 0 && pairs + loneLf === 0) return "CR line endings";
  if (pairs > 0 && loneCr + loneLf === 0) return "CR/LF line endings";
  return "mixed line endings";
}
