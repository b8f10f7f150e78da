/**
 * A matrix of artifacts for the parser: valid ones of every type, and each rule broken once. Whether an
 * artifact is valid is asserted against the real binaries by `tests/interop/artifact.test.ts`; the
 * verdicts below are what both say, so that `tests/artifact-parse.test.ts` needs no binary.
 *
 * Text is raw: one character per byte.
 */
import { md5Hex } from "../src/hash.ts";

export interface ArtifactCase {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly valid: boolean;
  /** First Fossil version that agrees; older ones say the opposite. */
  readonly since?: readonly [major: number, minor: number];
  /** Why this project's parser deliberately differs from every Fossil. */
  readonly differs?: string;
}

export const SHA1 = "0123456789abcdef0123456789abcdef01234567";
export const SHA1_LATER = "89abcdef0123456789abcdef0123456789abcdef";
export const SHA3 = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
export const MD5 = "d41d8cd98f00b204e9800998ecf8427e";

const raw = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

/** Lines with their line feeds and a correct Z card. */
export function withZ(...lines: readonly string[]): string {
  const cards = lines.map((line) => `${line}\n`).join("");
  return `${cards}Z ${md5Hex(raw(cards))}\n`;
}

const D = "D 2026-01-31T12:34:56.789";
const U = "U drh";
const F = `F a.c ${SHA1}`;
const W = "W 5\nhello";

const cases: ArtifactCase[] = [];
type Extra = Pick<ArtifactCase, "since" | "differs">;

function whole(name: string, valid: boolean, text: string, extra: Extra = {}): void {
  cases.push({ name, valid, bytes: raw(text), ...extra });
}
const ok = (name: string, ...lines: readonly string[]) => whole(name, true, withZ(...lines));
const bad = (name: string, ...lines: readonly string[]) => whole(name, false, withZ(...lines));

// --- check-ins
const CHECKIN = ["C initial\\stext", D, F, `P ${SHA1}`, `R ${MD5}`, "T *branch * trunk", "T *sym-trunk *", U];
ok("check-in", ...CHECKIN);
ok("check-in of nothing but a date and a comment", "C x", D);
ok("check-in of nothing but a date and a file", D, F);
ok("check-in of nothing but a date and a parent", D, `P ${SHA3}`);
ok("check-in of nothing but a date and R", D, `R ${MD5}`);
ok("check-in of nothing but a date and Q", D, `Q +${SHA1}`);
ok("check-in with an empty P", "C x", D, "P", U);
ok("check-in with merges", "C x", D, `P ${SHA1} ${SHA3} ${SHA1_LATER}`, U);
ok("check-in with two P cards", "C x", D, `P ${SHA1}`, `P ${SHA3}`, U);
ok("check-in with an empty comment", "C ", D);
ok("check-in with a comment that ends in a backslash", "C abc\\", D);
ok("check-in with N", "C x", D, "N text/x-markdown", U);
ok("check-in with cherry-picks", "C x", D, `Q +${SHA1}`, `Q -${SHA1} ${SHA3}`, U);
ok("check-in with UTF-8", "C \xc3\xa9t\xc3\xa9", D, `F \xc3\xa9 ${SHA1}`, U);
ok("check-in with bytes that are not UTF-8", "C \xe9\xff", D, `F \xe9 ${SHA1}`, U);
ok("check-in with upper-case hashes", "C x", D, `F a ${SHA1.toUpperCase()}`, `P ${SHA3.toUpperCase()}`, U);
ok("user left out", "C x", D, "U");
ok("user empty", "C x", D, "U ");
ok("tag on another artifact in a check-in", "C x", D, `T +closed ${SHA1}`, U);
ok("delta manifest", `B ${SHA3}`, "C x", D, `F a ${SHA1}`, "F gone", U);
ok("delta manifest without files", `B ${SHA1}`, D);
ok("permissions", D, `F a ${SHA1} x`, `F b ${SHA1} l`, `F c ${SHA1} w`, `F d ${SHA1} whatever`);
ok("rename", D, `F a ${SHA1} w b`, `F c ${SHA1} x d\\sd`);
ok("permission empty", D, `F a ${SHA1}  b`);
ok("names with every escape", D, `F \\s\\n\\t\\r\\v\\f\\\\ ${SHA1}`);
ok("name with an escape of nothing special", D, `F \\q ${SHA1}`);
ok("name cut by an escaped NUL", D, `F a\\0b ${SHA1}`, `F a.c ${SHA1}`);
ok(
  "names in byte order, not in alphabetical",
  D,
  `F B ${SHA1}`,
  `F a ${SHA1}`,
  `F a-b ${SHA1}`,
  `F a/b ${SHA1}`,
);
ok("names whose order shows only without escapes", D, `F a\\sb ${SHA1}`, `F a!b ${SHA1}`);
ok("name with a backslash, a colon and dots", D, `F ...\\\\c:x/.hidden/..a ${SHA1}`);
ok("reserved name is skipped", "C x", D, `F _FOSSIL_ ${SHA1}`, U);
ok(
  "reserved name does not count in the order",
  "C x",
  D,
  `F b ${SHA1}`,
  `F c/_FOSSIL_ ${SHA1}`,
  `F c ${SHA1}`,
);
bad("only a reserved name is no file", D, `F .fslckout ${SHA1}`);
bad("no comment, file or parent", D, U);
bad("empty P is no parent", D, "P", U);
bad("no date", "C x", F, U);
bad("two comments", "C x", "C y", D);
bad("comment missing", "C", D);
bad("comment of two tokens", "C x y", D);
bad("two dates", "C x", D, D);
bad("two baselines", `B ${SHA1}`, `B ${SHA3}`, D);
bad("baseline missing", "B", D);
bad("baseline malformed", `B ${SHA1}0`, D);
bad("two users", "C x", D, U, U);
bad("user of two tokens", "C x", D, "U a b");
bad("two R", "C x", D, `R ${MD5}`, `R ${MD5}`);
bad("R too short", "C x", D, `R ${MD5.slice(1)}`);
bad("R not hex", "C x", D, `R g${MD5.slice(1)}`);
ok("R in upper case", "C x", D, `R ${MD5.toUpperCase()}`);
bad("two N", "C x", D, "N a", "N b");
bad("N missing", "C x", D, "N");
bad("file without a name", D, "F");
bad("file with an empty name", D, `F  ${SHA1}`);
bad("file without a hash", D, "F a");
bad("file with a short hash", D, `F a ${SHA1.slice(1)}`);
bad("file with a hash of 41 digits", D, `F a ${SHA1}0`);
bad("file with a hash that is not hex", D, `F a g${SHA1.slice(1)}`);
bad("file of five tokens", D, `F a ${SHA1} w b c`);
bad("old name empty", D, `F a ${SHA1} w `);
bad("old name not simple", D, `F a ${SHA1} w ../b`);
bad("files unsorted", D, `F b ${SHA1}`, `F a ${SHA1}`);
bad("files twice", D, `F a ${SHA1}`, `F a ${SHA1}`);
bad("files sorted with escapes only", D, `F a!b ${SHA1}`, `F a\\sb ${SHA1}`);
bad("delta file with an empty hash", `B ${SHA1}`, D, "F a ");
for (const name of ["/a", "a/", "a//b", ".", "..", "./a", "../a", "a/./b", "a/../b", "a/.", "a/..", "/"]) {
  bad(`file name ${name}`, D, `F ${name} ${SHA1}`);
}
bad("parent malformed", "C x", D, `P ${SHA1} x`);
bad("parent followed by a space", "C x", D, `P ${SHA1} `);
bad("Q missing", "C x", D, "Q");
bad("Q without a sign", "C x", D, `Q ${SHA1}`);
bad("Q malformed", "C x", D, `Q +${SHA1}1`);
bad("Q second malformed", "C x", D, `Q +${SHA1} x`);
bad("Q of three", "C x", D, `Q +${SHA1} ${SHA1} ${SHA1}`);

// --- tags
ok("tag values", "C x", D, "T *xa * some\\svalue", "T +xb * ", "T -xc *");
ok(
  "tags by prefix, then name, then target",
  "C x",
  D,
  "T *z *",
  "T +x *",
  `T +x ${SHA1}`,
  `T +x ${SHA1_LATER}`,
  "T -x *",
);
ok("tag name before its extension", "C x", D, "T +x *", "T +x! *", "T +xa *");
bad("tags unsorted by prefix", "C x", D, "T +xa *", "T *xb *");
bad("tags unsorted by name", "C x", D, "T +xb *", "T +xa *");
bad("tags unsorted by target", "C x", D, `T +x ${SHA1}`, "T +x *");
bad("tag twice", "C x", D, "T +x *", "T +x *");
bad("tag twice on a hash", "C x", D, `T +x ${SHA1}`, `T +x ${SHA1}`);
bad("tag without a prefix", "C x", D, "T x *");
bad("tag without a name", "C x", D, "T + *");
bad("tag named by hex digits", "C x", D, "T +abcDEF012 *");
bad("tag without a target", "C x", D, "T +x");
bad("tag with a malformed target", "C x", D, "T +x **");
bad("tag of four tokens", "C x", D, "T +x * v w");
bad("tag missing", "C x", D, "T");

// --- control
const T = `T +x ${SHA1}`;
ok("control", D, T, U);
ok("control with an escaped tag", D, `T -sym-a\\sb ${SHA3} v`, U);
bad("control on itself", D, "T +x *", U);
bad("control without a user", D, T);
bad("control without a date", T, U);
bad("control with W", D, T, U, W);

// --- dates
for (const date of [
  "2026-01-31",
  "2026-01-31T12:34",
  "2026-01-31T12:34:56Z",
  "2026-01-31T12:34:56.7+05:30",
  "2026-01-31\t12:34:56",
  "2026-02-31T00:00:00",
  "12:34",
  "2450000.5",
  "1e6",
  "0000-01-01",
]) {
  ok(`date ${date}`, `D ${date}`, T, U);
}
for (const date of [
  "",
  "x",
  "2026-13-01",
  "2026-01-31T25:00",
  "2026-01-31 12:34",
  "0",
  "-4713-11-24T12:00",
  "20260131T120000x",
]) {
  bad(`date ${JSON.stringify(date)}`, `D ${date}`, T, U);
}
bad("date missing", "D", T, U);
whole("date now", false, withZ("D now", T, U), { differs: "its meaning would change with each reading" });

// --- cluster
ok("cluster", `M ${SHA1}`, `M ${SHA1_LATER}`, `M ${SHA3}`);
bad("cluster unsorted", `M ${SHA1_LATER}`, `M ${SHA1}`);
bad("cluster with a member twice", `M ${SHA1}`, `M ${SHA1}`);
bad("cluster with a date", D, `M ${SHA1}`);
bad("cluster with a user", `M ${SHA1}`, U);
bad("member malformed", `M ${SHA1}a`);
bad("member missing", "M");

// --- wiki
ok("wiki", D, "L Some\\sPage", U, W);
ok("wiki with everything", "C why", D, "L p", "N text/x-markdown", `P ${SHA1} ${SHA3}`, U, W);
ok("wiki empty", D, "L p", U, "W 0\n");
ok("wiki of binary", D, "L p", U, "W 5\n\x00\xff\nZ ");
ok("wiki size with a tail", D, "L p", U, "W 5x\nhello");
ok("wiki name of 100 bytes", D, `L ${"n".repeat(100)}`, U, W);
ok("wiki name with DEL and above", D, "L \x7f\xc3\xa9", U, W);
bad("wiki name of 101 bytes", D, `L ${"n".repeat(101)}`, U, W);
bad("wiki name empty", D, "L ", U, W);
bad("wiki name missing", D, "L", U, W);
bad("wiki name with a leading space", D, "L \\sp", U, W);
bad("wiki name with a trailing space", D, "L p\\s", U, W);
bad("wiki name with two spaces", D, "L p\\s\\sq", U, W);
bad("wiki name with a tab", D, "L p\\tq", U, W);
bad("wiki without a user", D, "L p", W);
bad("wiki without W", D, "L p", U);
bad("wiki with a tag", D, "L p", "T +x *", U, W);
bad("two L", D, "L p", "L q", U, W);
bad("two W", D, "L p", U, W, W);
bad("W too short", D, "L p", U, "W 4\nhello");
bad("W too long", D, "L p", U, "W 6\nhello");
bad("W beyond the end", D, "L p", U, "W 600\nhello");
bad("W overflowing", D, "L p", U, "W 4294967301\nhello");
bad("W without a size", D, "L p", U, "W\nhello");
bad("W of two tokens", D, "L p", U, "W 5 5\nhello");

// --- ticket
const K = `K ${SHA1}`;
ok("ticket", D, "J +comment more\\stext", "J title x", K, U);
ok("ticket field without a value", D, "J title", K, U);
ok("ticket field with an escape in its name", D, "J a\\sb c", K, U);
ok("ticket id in upper case", D, "J a b", `K ${SHA1.toUpperCase()}`, U);
bad("ticket without fields", D, K, U);
bad("ticket without K", D, "J a b", U);
bad("ticket without a user", D, "J a b", K);
bad("ticket fields unsorted", D, "J b x", "J a x", K, U);
bad("ticket field twice", D, "J a x", "J a y", K, U);
bad("ticket with a comment", "C x", D, "J a b", K, U);
bad("ticket id of 64 digits", D, "J a b", `K ${SHA3}`, U);
bad("ticket id not hex", D, "J a b", `K g${SHA1.slice(1)}`, U);
bad("two K", D, "J a b", K, K, U);
bad("J missing", D, "J", K, U);
bad("J of three tokens", D, "J a b c", K, U);

// --- attachment
ok("attachment", `A a.png Some\\sPage ${SHA3}`, "C x", D, "N text/plain", U);
ok("attachment to a ticket, without a user", `A a.png ${SHA1} ${SHA3}`, D);
ok("attachment removed", "A a.png Page", D, U);
ok("attachment with folders in its name", `A x/y/a.png Page ${SHA1}`, D, U);
bad("attachment without a target", "A a.png", D, U);
bad("attachment without a name", "A", D, U);
bad("attachment with a bad name", `A ../a Page ${SHA1}`, D, U);
bad("attachment with a bad target", `A a \\sPage ${SHA1}`, D, U);
bad("attachment with a bad source", `A a Page ${SHA1}1`, D, U);
bad("attachment with a parent", `A a Page ${SHA1}`, D, `P ${SHA1}`, U);
bad("attachment without a date", `A a Page ${SHA1}`, U);
bad("two A", `A a Page ${SHA1}`, `A b Page ${SHA1}`, D, U);
bad("A of four tokens", `A a Page ${SHA1} x`, D, U);

// --- technote
const E = `E 2026-02-01T00:00:00 ${SHA1}`;
ok("technote", "C title", D, E, "N text/x-markdown", `P ${SHA3}`, "T +bgcolor * #fff", "T +sym-x *", U, W);
ok("technote without a user", D, E, W);
ok("technote with an id of 64 digits", D, `E 2026-02-01 ${SHA3}`, U, W);
ok("technote with N after P", D, E, `P ${SHA1}`, "N text/plain", U, W);
bad("N after P elsewhere", "C x", D, `P ${SHA1}`, "N text/plain", U);
bad("technote with a propagating tag", D, E, "T *x *", U, W);
bad("technote with a cancelled tag", D, E, "T -x *", U, W);
bad("technote with a tag elsewhere", D, E, `T +x ${SHA1}`, U, W);
bad("technote without W", D, E, U);
bad("technote without a date", E, U, W);
bad("E without an id", D, "E 2026-02-01", U, W);
bad("E with a bad id", D, `E 2026-02-01 ${SHA1}1`, U, W);
bad("E with a bad date", D, `E yesterday ${SHA1}`, U, W);
bad("two E", D, E, E, U, W);

// --- forum
ok("forum thread", D, "H A\\stitle", "N text/plain", U, W);
ok("forum reply", D, `G ${SHA1}`, `I ${SHA3}`, U, W);
ok("forum edit", D, `G ${SHA1}`, `I ${SHA3}`, `P ${SHA1_LATER}`, U, W);
ok("forum title empty", D, "H ", U, W);
bad("forum with a title and a question", D, `G ${SHA1}`, "H t", `I ${SHA3}`, U, W);
bad("forum with two parents", D, "H t", `P ${SHA1} ${SHA3}`, U, W);
bad("forum without a user", D, "H t", W);
bad("forum without W", D, "H t", U);
bad("forum with a comment", "C x", D, "H t", U, W);
bad("forum with neither G, H nor I", D, U, W);
bad("H missing", D, "H", U, W);
bad("two H", D, "H a", "H b", U, W);
bad("G malformed", D, "G x", U, W);
bad("two G", D, `G ${SHA1}`, `G ${SHA1}`, U, W);
bad("I malformed", D, `G ${SHA1}`, "I x", U, W);
bad("two I", D, `G ${SHA1}`, `I ${SHA1}`, `I ${SHA1}`, U, W);

// --- frame
const PLAIN = withZ(...CHECKIN);
whole("nothing", false, "");
whole("a line feed", false, "\n");
whole("not an artifact", false, "#include <stdio.h>\nint main(void){ return 0; }\n");
whole("no last line feed", false, PLAIN.slice(0, -1));
whole("a byte after the end", false, `${PLAIN}\n`);
whole("CRLF", false, PLAIN.replaceAll("\n", "\r\n"));
whole("CRLF under a correct Z", false, withZ(...CHECKIN.map((line) => `${line}\r`)));
whole("a wrong Z", false, PLAIN.replace(/[0-9a-f]{2}\n$/, "zz\n"));
whole(
  "Z in upper case",
  false,
  PLAIN.replace(/[0-9a-f]{32}\n$/, (z) => z.toUpperCase()),
);
whole("no Z", false, CHECKIN.map((line) => `${line}\n`).join(""));
whole("only Z", false, withZ());
ok("an extra Z before", "C x", D, `Z ${MD5}`);
bad("cards out of order", D, "C x");
bad("a blank line", "C x", "", D);
bad("a leading space", " C x", D);
bad("two spaces after the letter", "C  x", D);
bad("a tab after the letter", "C\tx", D);
bad("a card without a space", "Cx", D);
bad("an unknown card", "C x", D, "X y");
bad("a lower-case card", "C x", D, "z y");
bad("a bad first card", "1 x", D);
ok("NUL as a space", D, `F a\0${SHA1}`);
bad("NUL in a comment", "C a\0b", D);
bad("two types at once", `A a Page ${SHA1}`, D, E, U, W);

// --- signatures
const PGP = "-----BEGIN PGP SIGNED MESSAGE-----";
const PGP_TAIL = "-----BEGIN PGP SIGNATURE-----\n\niQEzBAEBCAAdFiEE\n-----END PGP SIGNATURE-----\n";
const SSH = PGP.replace("PGP", "SSH");
const SSH_TAIL = PGP_TAIL.replaceAll("PGP", "SSH");
whole("PGP signed", true, `${PGP}\nHash: SHA256\n\n${PLAIN}${PGP_TAIL}`);
whole("PGP signed with CRLF in its head", true, `${PGP}\r\nHash: SHA256\r\n\r\n${PLAIN}${PGP_TAIL}`);
whole("PGP signed without a tail", true, `${PGP}\n\n${PLAIN}`);
whole("PGP signed, no blank line", false, `${PGP}\n${PLAIN}${PGP_TAIL.replace("\n\n", "\n")}`);
whole("PGP signed, nothing inside", false, `${PGP}\n\n`);
whole("PGP signed, wrong Z inside", false, `${PGP}\n\n${PLAIN.replace("initial", "Initial")}${PGP_TAIL}`);
whole("PGP signed, no last line feed", false, `${PGP}\n\n${PLAIN}${PGP_TAIL.slice(0, -1)}`);
whole("PGP signed, something before", false, `\n${PGP}\n\n${PLAIN}${PGP_TAIL}`);
whole("SSH signed", true, `${SSH}\n\n${PLAIN}${SSH_TAIL}`, { since: [2, 26] });
whole("a PGP head with an SSH tail", true, `${PGP}\n\n${PLAIN}${SSH_TAIL}`, { since: [2, 26] });

export const ARTIFACT_CASES: readonly ArtifactCase[] = cases;
