/**
 * The format of tar, as POSIX 1003.1 describes it: for each entry a header of 512 bytes, then its content filled up to a
 * multiple of 512; two blocks of zeros at the end.
 *
 *     0 name 100, 100 mode 8, 108 uid 8, 116 gid 8, 124 size 12, 136 mtime 12, 148 checksum 8, 156 type 1,
 *     157 link 100, 257 "ustar\0" "00", 265 user 32, 297 group 32, 345 prefix 155
 *
 * Numbers are octal digits that end in NUL. A name is split at a `/` into prefix and name; one that does not fit, or is
 * not ASCII, goes into an extended header (type `x`, records `LENGTH key=value\n`) before the entry, as does the path of a
 * link. Everything belongs to `nobody`, as in archives that Fossil makes.
 */
import { encodeText } from "./artifact-escape.ts";
import { concat, EMPTY } from "./bytes.ts";
import type { EpochMs } from "./julian.ts";

const BLOCK_BYTES = 512;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;

export interface TarEntry {
  /** Without a `/` at the end. */
  readonly name: string;
  readonly kind: "file" | "folder" | "link";
  /** Permission bits. */
  readonly mode: number;
  /** Of a file its bytes, of a link where it leads. */
  readonly content: Uint8Array;
}

const TYPES = { file: "0", folder: "5", link: "2" } as const;

/** The end of an archive. */
export const TAR_END: Uint8Array = new Uint8Array(2 * BLOCK_BYTES);

/** An entry as bytes: its header or headers, and its content. */
export function tarEntry({ name, kind, mode, content }: TarEntry, mtime: EpochMs): Uint8Array {
  const path = encodeText(name);
  const link = kind === "link" ? content : EMPTY;
  const body = kind === "file" ? content : EMPTY;
  const split = isAscii(path) ? splitAt(path) : undefined;
  const records = [
    ...(split === undefined ? [record("path", path)] : []),
    ...(link.length > NAME_BYTES || !isAscii(link) ? [record("linkpath", link)] : []),
  ];
  const parts: Uint8Array[] = [];
  if (records.length > 0) {
    const data = concat(records);
    const about = encodeText(`PaxHeader/${name}`).subarray(0, NAME_BYTES);
    parts.push(header({ name: about, mode: 0o644, size: data.length, mtime, type: "x" }), filled(data));
  }
  const cut = split ?? 0;
  parts.push(
    header({
      name: path.subarray(cut, cut + NAME_BYTES),
      prefix: path.subarray(0, Math.max(cut - 1, 0)),
      mode,
      size: body.length,
      mtime,
      type: TYPES[kind],
      link: link.subarray(0, NAME_BYTES),
    }),
    filled(body),
  );
  return concat(parts);
}

/** Where the name begins, after the prefix and its `/`; 0 without a prefix; `undefined` when it does not fit. */
function splitAt(path: Uint8Array): number | undefined {
  if (path.length <= NAME_BYTES) return 0;
  const slash = path.indexOf(0x2f, path.length - NAME_BYTES - 1);
  return slash > 0 && slash <= PREFIX_BYTES && slash + 1 < path.length ? slash + 1 : undefined;
}

/** `LENGTH key=value\n`, where the length counts itself. */
function record(key: string, value: Uint8Array): Uint8Array {
  const rest = key.length + value.length + 3;
  let length = rest + 1;
  while (rest + String(length).length !== length) length++;
  return concat([encodeText(`${length} ${key}=`), value, encodeText("\n")]);
}

interface Header {
  readonly name: Uint8Array;
  readonly prefix?: Uint8Array;
  readonly mode: number;
  readonly size: number;
  readonly mtime: EpochMs;
  readonly type: string;
  readonly link?: Uint8Array;
}

function header({ name, prefix = EMPTY, mode, size, mtime, type, link = EMPTY }: Header): Uint8Array {
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  block.set(name, 0);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(Math.max(Math.floor(mtime / 1000), 0), 11), 136);
  block.write(" ".repeat(8), 148);
  block.write(type, 156);
  block.set(link, 157);
  block.write("ustar\u000000", 257);
  block.write("nobody", 265);
  block.write("nobody", 297);
  block.set(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

function filled(content: Uint8Array): Uint8Array {
  const over = content.length % BLOCK_BYTES;
  return over === 0 ? content : concat([content, new Uint8Array(BLOCK_BYTES - over)]);
}

const isAscii = (bytes: Uint8Array) => bytes.every((byte) => byte < 0x7f);
