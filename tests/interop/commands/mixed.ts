/**
 * A session in one checkout: steps at random, each done by hand, by `edgesync` or by `fossil`, and after each what both
 * say of the checkout: status, files, differences, timeline. Every choice follows from the seed.
 *
 * A command may fail, as when there is nothing to commit; it must then leave a checkout that both can use.
 */
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { randomBelow, seededRandom } from "../../../src/random.ts";
import type { Stock } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

const NAMES = ["a", "b", "c.txt", "dir/d", "dir/e", "dir/deep/f", "g h", "run.sh"];
const BRANCHES = ["trunk", "left", "right"];
const FIRST_DATE_MS = Date.UTC(2030, 0, 1);

export interface Played {
  /** What was done, step by step. */
  readonly steps: readonly string[];
  /** Set when the two did not agree, or one of them failed to look. */
  readonly disagreement: string | undefined;
}

/** What both are asked after each step: words for us, words for stock. */
const LOOKS: readonly (readonly [ours: readonly string[], theirs: readonly string[]])[] = [
  [["changes"], ["changes"]],
  [["extras"], ["extras"]],
  [["ls"], ["ls"]],
  [["diff"], ["diff", "--internal"]],
  [
    ["timeline", "-n", "3", "-W", "0"],
    ["timeline", "-n", "3", "-W", "0"],
  ],
];

export class MixedSession implements Disposable {
  private readonly pair: CheckoutPair;
  private readonly random: ReturnType<typeof seededRandom>;
  private readonly steps: string[] = [];
  private commits = 0;
  private texts = 0;

  constructor(
    private readonly stock: Stock,
    seed: bigint,
  ) {
    this.pair = new CheckoutPair(stock);
    this.random = seededRandom(seed);
    this.pair.base("settings", "allow-symlinks", "on");
    for (const name of NAMES.slice(0, 5)) this.pair.write(name, this.text());
    this.pair.commit("first");
  }

  async play(count: number): Promise<Played> {
    for (let i = 0; i < count; i++) {
      this.steps.push(await this.step());
      const disagreement = await this.disagreement();
      if (disagreement !== undefined) return { steps: this.steps, disagreement };
    }
    return { steps: this.steps, disagreement: undefined };
  }

  private async step(): Promise<string> {
    const name = this.pick(NAMES);
    const kinds: readonly (() => string | Promise<string>)[] = [
      () => this.byHand("write", name, (path) => writeFileSync(path, this.text())),
      () => this.byHand("write", name, (path) => writeFileSync(path, this.text())),
      () => this.byHand("edit", name, (path) => existsSync(path) && writeFileSync(path, this.text())),
      () => this.byHand("delete", name, (path) => rmSync(path, { force: true })),
      () =>
        this.byHand(
          "chmod",
          name,
          (path) => existsSync(path) && chmodSync(path, this.below(2) ? 0o755 : 0o644),
        ),
      () =>
        this.byHand("link", name, (path) => {
          rmSync(path, { force: true });
          symlinkSync(`to-${this.below(3)}`, path);
        }),
      () => this.command(["add", name]),
      () => this.command(["addremove"]),
      () => this.command(["rm", name]),
      () => this.command(["rename", "--hard", name, this.pick(NAMES)], ["mv", "--hard"]),
      () => this.commit([]),
      () => this.commit([]),
      () => this.commit([name]),
      () => this.commit(["--branch", this.pick(BRANCHES)]),
      () => this.command(["update", this.pick(BRANCHES)]),
      () => this.command(["update", "prev"]),
      () => this.command(["co", "--force", this.pick(BRANCHES)]),
      () => this.command(["revert", name]),
      () => this.command(["revert"]),
      () => this.command(["undo"]),
      () => this.command(["redo"]),
      () => this.command(["merge", this.pick(BRANCHES)]),
      () => this.command(["merge", "--cherrypick", this.pick(BRANCHES)]),
      () => this.command(["stash", "save", "-m", "kept"]),
      () => this.command(["stash", "pop"]),
      () => this.command(["clean"]),
    ];
    return this.pick(kinds)();
  }

  private byHand(what: string, name: string, act: (path: string) => unknown): string {
    const path = join(this.pair.tree("base"), name);
    try {
      mkdirSync(dirname(path), { recursive: true });
      act(path);
    } catch {
      return `${what} ${name} fails`; // A link or a file stands for a folder, or the other way round.
    }
    return `${what} ${name}`;
  }

  /** @param stockWords stock's for the first of ours, where they differ */
  private async command(words: readonly string[], stockWords?: readonly string[]): Promise<string> {
    const isOurs = this.below(2) === 0;
    const theirs = stockWords === undefined ? words : [...stockWords, ...words.slice(stockWords.length)];
    const ran = isOurs ? await this.pair.edgesync("base", ...words) : this.pair.fossil("base", ...theirs);
    const said = ran.code === 0 ? "" : ` (${ran.code}: ${ran.stderr.split("\n")[0]})`;
    return `${isOurs ? "edgesync" : "fossil"} ${(isOurs ? words : theirs).join(" ")}${said}`;
  }

  private commit(more: readonly string[]): Promise<string> {
    const date = new Date(FIRST_DATE_MS + ++this.commits * 60_000).toISOString().slice(0, 19);
    const both = ["-m", `commit ${this.commits}`, "--no-warnings", "--allow-fork", "--date-override", date];
    const fixed = this.below(2) === 0 ? both : [...both, "--allow-conflict"];
    return this.command(["ci", ...fixed, ...more], ["commit"]);
  }

  private async disagreement(): Promise<string | undefined> {
    for (const [ours, theirs] of LOOKS) {
      const mine = await this.pair.edgesync("base", ...ours);
      const other = this.pair.fossil("base", ...theirs);
      const [left, right] = [mine, other].map(({ stdout }) => this.comparable(ours[0]!, stdout));
      if (mine.code !== other.code || left !== right) {
        return `${ours.join(" ")}\nedgesync (${mine.code}):\n${mine.stdout}${mine.stderr}\nfossil (${other.code}):\n${other.stdout}${other.stderr}`;
      }
    }
    return undefined;
  }

  /** Versions before 2.22 write no former names, and other headings of differences. */
  private comparable(what: string, said: string): string {
    if (what === "timeline") return withoutEnd(said);
    if (this.stock.atLeast(2, 22)) return said;
    if (what === "changes") return said.replace(/^(\S+ +).*? {2}-> {2}/gm, "$1");
    return what === "diff"
      ? said.replace(/^(?:---|\+\+\+|Index:|=====|ADDED|DELETED|MISSING).*\n/gm, "")
      : said;
  }

  private text(): string {
    // Sizes differ: an edit within one second that keeps the size cannot be seen by time.
    const size = 5 + (++this.texts % 40);
    return Array.from(
      { length: size },
      (_, i) => `line ${i}${this.below(6) === 0 ? ` ${this.texts}` : ""}\n`,
    ).join("");
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  private below(bound: number): number {
    return randomBelow(this.random, bound);
  }

  [Symbol.dispose](): void {
    this.pair[Symbol.dispose]();
  }
}

/** Stock ends a timeline with a remark. */
const withoutEnd = (text: string) => text.replace(/^(?:---|\+\+\+) .*(?:limit|no more).*\n/gm, "");
