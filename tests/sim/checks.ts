/**
 * What must hold, decided without asking the code under test: rights by a table of this file, contents by
 * hashes, derived tables by a rebuild. Each check says in one line what it found.
 */
import { inlineExecutor } from "../../src/executor.ts";
import { type Hash, hashMatches } from "../../src/hash.ts";
import { seededRandom } from "../../src/random.ts";
import type { Repo } from "../../src/repo.ts";
import { rebuildRepository } from "../../src/repo-rebuild.ts";
import { Unversioned } from "../../src/repo-unversioned.ts";
import { createVerifyJobs, verifyRepository } from "../../src/repo-verify.ts";
import { decodeMessage } from "../../src/xfer-message.ts";
import { type Dump, diffDumps, dumpOf, rebuildable } from "../interop/tables.ts";
import type { Letter, Reply } from "./network.ts";
import type { SimulatedNode, Stock } from "./node.ts";

/** The people of every simulated project, with what they may do. */
export const PEOPLE = { ann: "s", carl: "gioy", pat: "gioxy", rita: "o", tom: "gioy" } as const;
export type Person = keyof typeof PEOPLE;
export const PASSWORDS: Readonly<Record<Person, string>> = {
  ann: "a1",
  carl: "c1",
  pat: "p1",
  rita: "r1",
  tom: "t1",
};

const EVERYTHING_BUT = /[^sxy]/;
const ALL_LETTERS = "abcdefghijklmnopqrtuvwz0123456789";

/** Letters of a login, implied ones included. */
function lettersOf(login: string | undefined, nobody: string, tom: string | undefined): ReadonlySet<string> {
  const own = login === undefined ? "" : login === "tom" ? (tom ?? "") : (PEOPLE[login as Person] ?? "");
  const letters = new Set([...own, ...nobody]);
  if (letters.has("s"))
    for (const letter of ALL_LETTERS) if (EVERYTHING_BUT.test(letter)) letters.add(letter);
  if (letters.has("i")) letters.add("o");
  return letters;
}

/** Why an honest peer may be refused: rights, a full disk, somebody else at work. */
const IN_ORDER =
  /^(login\\sfailed|not\\sauthorized|pull\\sonly|Write\+permissions|the\\s(server's\\sdisk\\sis\\sfull|repository\\sis\\slocked))/;

const latin1 = new TextDecoder("latin1");

function textOf(contentType: string, body: Uint8Array): string {
  try {
    return latin1.decode(decodeMessage(body, contentType).message);
  } catch {
    return ""; // Damaged on its way.
  }
}

export interface ExchangeFacts {
  readonly letter: Letter;
  readonly reply: Reply;
  readonly before: Stock;
  readonly after: Stock;
  readonly nobody: string;
  /** What Tom may do here; undefined: his password is another here. */
  readonly tom: string | undefined;
  /** Whether the sender is one who means to send private artifacts. */
  readonly senderIsPrivate: boolean;
  readonly privateHashes: ReadonlySet<Hash>;
}

/** Rights: nothing changed and nothing was told that the sender had no right to. */
export function checkExchange(facts: ExchangeFacts): string[] {
  const { letter, reply, before, after, privateHashes } = facts;
  const may = lettersOf(letter.as, facts.nobody, facts.tom);
  const who = letter.as ?? "nobody";
  const problems: string[] = [];
  if (!may.has("i") && after.artifacts !== before.artifacts) problems.push(`${who} pushed without i`);
  if (!may.has("y") && after.files !== before.files)
    problems.push(`${who} wrote unversioned files without y`);
  if (after.settings !== before.settings) problems.push(`${who} changed users or the shun list`);
  const request = textOf(letter.contentType, letter.body);
  const answer = textOf(reply.contentType, reply.body);
  const isClone = /^clone /m.test(request) && may.has("g");
  if (!may.has("o") && !isClone && /^c?file [0-9a-f]{40}/m.test(answer))
    problems.push(`${who} got artifacts without o`);
  if (/^error wrong\+hash/m.test(answer) && after.artifacts !== before.artifacts)
    problems.push(`of a request of ${who} that was refused something was kept`);
  const [, refusal] = letter.isHonest ? (/^error (\S+)/m.exec(answer) ?? []) : [];
  if (refusal !== undefined && !IN_ORDER.test(refusal)) problems.push(`${who} was answered ${refusal}`);
  if (!may.has("x") && names(answer, privateHashes))
    problems.push(`${who} heard of a private artifact without x`);
  if (!facts.senderIsPrivate && names(request, privateHashes)) {
    problems.push(`${who} was made to send a private artifact`);
  }
  return problems;
}

/** What everybody on NATS hears: nothing of private artifacts, and content only where everybody may have it. */
export function checkBroadcast(
  subject: string,
  payload: Uint8Array,
  { nobody, privateHashes }: Pick<ExchangeFacts, "nobody" | "privateHashes">,
): string[] {
  const message = latin1.decode(payload);
  const problems: string[] = [];
  for (const [hash] of message.matchAll(/[0-9a-f]{64}|[0-9a-f]{40}/g)) {
    if (privateHashes.has(hash as Hash)) problems.push(`${subject} told of the private ${hash}`);
  }
  if (/"reply":/.test(message) && !/[io]/.test(nobody)) problems.push(`${subject} told content to everybody`);
  return problems;
}

function names(message: string, hashes: ReadonlySet<Hash>): boolean {
  for (const [, hash] of message.matchAll(/^(?:c?file|igot) ([0-9a-f]{40,64})/gm)) {
    if (hashes.has(hash as Hash)) return true;
  }
  return false;
}

/** Hashes whose content is here. */
export function holdings({ db }: Repo): Hash[] {
  return db.prepare("SELECT uuid FROM blob WHERE size>=0 ORDER BY uuid").values<[Hash]>().flat();
}

export function privateHoldings({ db }: Repo): Hash[] {
  return db
    .prepare("SELECT uuid FROM blob JOIN private USING(rid) WHERE size>=0 ORDER BY uuid")
    .values<[Hash]>()
    .flat();
}

export function shunned({ db }: Repo): Set<Hash> {
  return new Set(db.prepare("SELECT uuid FROM shun").values<[Hash]>().flat());
}

/** Whether an artifact can be read: what lies made up may wait for its source for ever. */
const isWhole = ({ content }: Repo, hash: Hash): boolean => content.isAvailable(content.ridOf(hash)!);

/** What honest peers must come to agree on: public artifacts, less what is shunned here; live files. */
export interface Agreement {
  readonly artifacts: readonly Hash[];
  readonly shunned: ReadonlySet<Hash>;
  readonly files: string;
}

export function agreementOf(repo: Repo): Agreement {
  const secret = new Set(privateHoldings(repo));
  return {
    artifacts: holdings(repo).filter((hash) => !secret.has(hash) && isWhole(repo, hash)),
    shunned: shunned(repo),
    files: new Unversioned(repo).catalogHash(),
  };
}

/** Where nodes do not agree; empty when they have converged. */
export function disagreements(nodes: readonly (readonly [string, Agreement])[]): string[] {
  const problems: string[] = [];
  const all = new Set(nodes.flatMap(([, { artifacts }]) => artifacts));
  const files = new Set(nodes.map(([, agreement]) => agreement.files));
  if (files.size > 1) problems.push("unversioned files differ");
  for (const [name, { artifacts, shunned }] of nodes) {
    const has = new Set(artifacts);
    const lacking = [...all].filter((hash) => !has.has(hash) && !shunned.has(hash));
    if (lacking.length > 0) problems.push(`${name} lacks ${lacking.length} artifacts, such as ${lacking[0]}`);
  }
  return problems;
}

/** Contents, structure and derived tables of one file that nobody has open for writing just now. */
export async function checkFile(node: SimulatedNode, privateHashes: ReadonlySet<Hash>): Promise<string[]> {
  const { path, clock } = node.options;
  const deps = { clock, random: seededRandom(5n) };
  const problems: string[] = [];
  const executor = inlineExecutor(createVerifyJobs(deps));
  const report = await verifyRepository(executor, path, { partCount: 1 });
  for (const problem of report.problems) problems.push(`${node.name}: ${problem.message}`);
  const { repo } = node;
  const isShunned = shunned(repo);
  const secret = new Set(privateHoldings(repo));
  for (const hash of holdings(repo)) {
    if (isShunned.has(hash)) problems.push(`${node.name} holds ${hash}, which it shuns`);
    if (privateHashes.has(hash) && !secret.has(hash))
      problems.push(`${node.name} holds private ${hash} as public`);
  }
  const files = new Unversioned(repo);
  for (const { name, hash } of files.entries()) {
    const content = files.content(name);
    if (hash !== undefined && content !== undefined && !hashMatches(content, hash)) {
      problems.push(`${node.name} holds wrong content of the unversioned ${name}`);
    }
  }
  problems.push(...rebuildDifferences(node));
  return problems;
}

/** The last of all checks: it leaves the file rebuilt. */
function rebuildDifferences({ name, repo }: SimulatedNode): string[] {
  const dump = (): Dump => rebuildable(dumpOf(repo.db), "received");
  const before = dump();
  rebuildRepository(repo, { user: () => "ann", version: "simulation" });
  return diffDumps(before, dump(), [name, "its rebuild"]);
}
