/**
 * A person at the web pages of a `fossil server`: logs in, fills in forms. Some artifacts (forum posts,
 * attachments of tickets, deletions of attachments) have no stock command, only a page.
 *
 * Stock accepts a form only with the session's cookie and a Referer of its own. 2.29 wants the hidden
 * field `csrf` in every form, 2.21 in the administrator's and those of attachments; the token is the same
 * in the whole session, and these pages show it: 2.29's `/login` to everyone, 2.21's `/shun` to administrators.
 */
import { StockError } from "./stock.ts";

export interface Page {
  readonly status: number;
  /** Where a redirect points, else "". */
  readonly location: string;
  readonly body: string;
}

export class StockBrowser {
  private csrf = "";

  private constructor(
    private readonly url: string,
    private readonly cookie: string,
  ) {}

  /** @throws StockError if the password is wrong */
  static async login(url: string, user: string, password: string): Promise<StockBrowser> {
    const answer = await fetch(`${url}/login`, {
      method: "POST",
      redirect: "manual",
      headers: { Referer: `${url}/login`, "Content-Type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ u: user, p: password, in: "Login" }),
    });
    await answer.arrayBuffer();
    const cookie = answer.headers
      .getSetCookie()
      .map((line) => line.split(";")[0]!)
      .join("; ");
    if (!cookie.includes("fossil-")) throw new StockError(`login of ${user} failed: HTTP ${answer.status}`);
    const browser = new StockBrowser(url, cookie);
    for (const path of ["/login", "/shun"]) {
      browser.csrf ||= /name="csrf" value="([^"]*)"/.exec((await browser.get(path)).body)?.[1] ?? "";
    }
    return browser;
  }

  async get(path: string): Promise<Page> {
    return this.request(path, {});
  }

  /** Submits a form. Files go as multipart, as browsers send them. */
  async submit(
    path: string,
    fields: Readonly<Record<string, string>>,
    file?: { readonly field: string; readonly name: string; readonly content: Uint8Array },
  ): Promise<Page> {
    const all = { ...fields, csrf: this.csrf };
    if (file === undefined) return this.request(path, { method: "POST", body: new URLSearchParams(all) });
    const form = new FormData();
    for (const [name, value] of Object.entries(all)) form.set(name, value);
    form.set(file.field, new Blob([file.content.slice()]), file.name);
    return this.request(path, { method: "POST", body: form });
  }

  /** A submission that must end in a redirect. Returns the last part of where it points. */
  async create(path: string, fields: Readonly<Record<string, string>>): Promise<string> {
    const page = await this.submit(path, fields);
    const name = page.location.split("/").at(-1) ?? "";
    if (page.status < 300 || page.status > 303 || name === "") {
      throw new StockError(`${path} answered ${page.status}: ${page.body.slice(0, 2000)}`);
    }
    return name;
  }

  private async request(path: string, init: RequestInit): Promise<Page> {
    const answer = await fetch(`${this.url}${path}`, {
      ...init,
      redirect: "manual",
      headers: { Cookie: this.cookie, Referer: `${this.url}${path.split("?")[0]}` },
    });
    const body = await answer.text();
    return { status: answer.status, location: answer.headers.get("location") ?? "", body };
  }
}
