/** One person with stock commands, a repository and a checkout of it: the verbs that `stock-life.ts` is told in. */
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TempDir } from "../temp-dir.ts";
import type { RunOptions, Stock } from "./stock.ts";

/** Password of every user made by `stock-life.ts`. */
export const PASSWORD = "secret one";

export class Hands {
  readonly checkout: string;
  /** Seconds since 1970 of the latest edit. */
  private editedAt = 1_600_000_000;

  constructor(
    readonly stock: Stock,
    readonly repository: string,
    readonly temp: TempDir,
  ) {
    this.checkout = temp.folder("checkout");
  }

  run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.stock.ok(args, options);
  }

  inRepository(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.run([...args, "-R", this.repository], options);
  }

  inCheckout(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.run(args, { cwd: this.checkout, ...options });
  }

  /** Writes a file of the checkout, with a time of its own: stock notices an edit by size or whole seconds. */
  edit(name: string, content: string | Uint8Array): void {
    const path = join(this.checkout, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    this.editedAt++;
    utimesSync(path, this.editedAt, this.editedAt);
  }

  async commit(message: string, ...options: string[]): Promise<string> {
    const args = [
      "commit",
      "-m",
      message,
      "--no-warnings",
      "--allow-fork",
      "--allow-older",
      "--nosign",
      ...options,
    ];
    const said = await this.inCheckout(args);
    return /New_Version: ([0-9a-f]{40,})/.exec(said)?.[1] ?? said;
  }

  async served(use: (url: string, login: (name: string) => string) => Promise<void>): Promise<void> {
    await using server = await this.stock.serve(this.repository);
    await use(server.url, (name) => server.urlAs(name, PASSWORD));
  }

  async hash(version: string): Promise<string> {
    const said = await this.inRepository(["info", version]);
    return /^hash: +([0-9a-f]{40,64})/m.exec(said)![1]!;
  }

  /** One value. Stock prints text as an SQL literal. */
  async sql(query: string): Promise<string> {
    return (await this.inRepository(["sql", query])).trim().replaceAll("'", "");
  }
}
