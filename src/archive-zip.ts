/**
 * ZIP archives, entry by entry: `fflate` writes the format, the runtime's zlib compresses. Entries carry the permissions and
 * the time in seconds that Unix tools restore; the time of the older field has even seconds, in UTC as stock writes it.
 *
 * Without the extensions for large archives: at most 65,535 entries and 4 GB in all.
 */
import { Zip, type ZipInputFile } from "fflate";
import { LimitError } from "./errors.ts";
import type { EpochMs } from "./julian.ts";
import { ZIP_ENTRY_MAX_COUNT, ZIP_MAX_BYTES } from "./limits.ts";
import { deflateRaw } from "./zlib.ts";

export interface ZipEntry {
  /** Of a folder with a `/` at the end. */
  readonly name: string;
  readonly kind: "file" | "folder" | "link";
  /** Permission bits. */
  readonly mode: number;
  /** Of a file its bytes, of a link where it leads. */
  readonly content: Uint8Array;
}

const FILE_TYPES = { file: 0o100000, folder: 0o040000, link: 0o120000 } as const;
const UNIX = 3;
const FOLDER_OF_DOS = 0x10;
const STORED = 0;
const DEFLATED = 8;
/** The field "extended timestamp": which times follow, then seconds since 1970. */
const TIME_FIELD = 0x5455;
const FIRST_YEAR = 1980;
const LAST_YEAR = 2099;

export class ZipWriter {
  private readonly zip: Zip;
  private entryCount = 0;
  private writtenBytes = 0;

  /** @param write takes the archive's bytes, in order */
  constructor(write: (bytes: Uint8Array) => void) {
    this.zip = new Zip((error, bytes) => {
      if (error) throw error;
      this.writtenBytes += bytes.length;
      write(bytes);
    });
  }

  /** @throws LimitError `zip-size` */
  add({ name, kind, mode, content }: ZipEntry, mtime: EpochMs): void {
    this.entryCount++;
    if (this.entryCount > ZIP_ENTRY_MAX_COUNT || this.writtenBytes + content.length > ZIP_MAX_BYTES) {
      throw new LimitError(
        "zip-size",
        `a ZIP archive holds ${ZIP_ENTRY_MAX_COUNT} entries and ${ZIP_MAX_BYTES} bytes at most`,
        { hint: "edgesync repo tar has no such bounds" },
      );
    }
    const isEmpty = content.length === 0;
    const file: ZipInputFile = {
      filename: name,
      size: content.length,
      crc: Bun.hash.crc32(content as Uint8Array<ArrayBuffer>),
      compression: isEmpty ? STORED : DEFLATED,
      os: UNIX,
      attrs: (((FILE_TYPES[kind] | mode) << 16) | (kind === "folder" ? FOLDER_OF_DOS : 0)) >>> 0,
      mtime: dosDate(mtime),
      extra: { [TIME_FIELD]: timeField(mtime) },
    };
    this.zip.add(file);
    file.ondata!(null, (isEmpty ? content : deflateRaw(content)) as Uint8Array<ArrayBuffer>, true);
  }

  end(): void {
    this.zip.end();
  }
}

function timeField(mtime: EpochMs): Uint8Array<ArrayBuffer> {
  const field = new Uint8Array(5);
  field[0] = 1;
  new DataView(field.buffer).setInt32(1, Math.floor(mtime / 1000), true);
  return field;
}

/** A date whose local time is the UTC time meant: that is what fflate writes down. */
function dosDate(mtime: EpochMs): Date {
  const utc = new Date(mtime);
  const year = Math.min(Math.max(utc.getUTCFullYear(), FIRST_YEAR), LAST_YEAR);
  const [month, day] = [utc.getUTCMonth(), utc.getUTCDate()];
  return new Date(year, month, day, utc.getUTCHours(), utc.getUTCMinutes(), utc.getUTCSeconds());
}
