/**
 * What people write, by stock commands and pages: wiki, tickets, technotes, attachments, a forum. All link to
 * each other and to check-ins, in every markup.
 */
import { StockError } from "./stock.ts";
import { StockBrowser } from "./stock-browser.ts";
import { type Hands, PASSWORD } from "./stock-hands.ts";

export async function wiki(hands: Hands, round: number): Promise<void> {
  const tip = (await hands.hash("trunk")).slice(0, 12);
  const pages: readonly (readonly [name: string, mimetype: string, body: string])[] = [
    [
      `Start ${round}`,
      "fossil",
      `<b>Welcome</b> to [Größe ${round}], [${tip}], [http://example.org/|there].\n`,
    ],
    [
      `Größe ${round}`,
      "markdown",
      `# Size\n\nSee [a check-in](/info/${tip}), [page](wiki?name=Start+${round}), [${tip}].\n`,
    ],
    [`plain/text ${round}`, "plain", `[${tip}] is no link here.\n`],
  ];
  for (const [name, mimetype, body] of pages) {
    await hands.inRepository(["wiki", "create", name, "-M", mimetype], { input: body });
    for (let version = 2; version <= 3; version++) {
      const options = { input: `${body}\nVersion ${version} [Start ${round}]\n`, user: "carol" };
      await hands.inRepository(["wiki", "commit", name], options);
    }
  }
  await hands.inRepository(["wiki", "create", `Gone ${round}`], { input: "soon" });
  await hands.inRepository(["wiki", "commit", `Gone ${round}`], { input: "" });
  const file = hands.temp.write("notes.txt", `notes of round ${round}\n`);
  await hands.inRepository(["attachment", "add", `Start ${round}`, file]);
  hands.temp.write("notes.txt", `better notes of round ${round}\n`);
  await hands.inRepository(["attachment", "add", `Start ${round}`, file], { user: "alice" });
}

export async function tickets(hands: Hands, round: number): Promise<void> {
  const tip = (await hands.hash("trunk")).slice(0, 12);
  const first = await ticket(
    hands,
    "title",
    `It fails in round ${round}`,
    "type",
    "Code_Defect",
    "status",
    "Open",
  );
  const second = await ticket(hands, "title", "Ünïcode & <b>", "votes", "7", "comment", `see [${tip}]`);
  const changes: readonly (readonly string[])[] = [
    [first, "severity", "Critical", "+comment", `first, see [${tip}]`],
    [first, "+comment", "\\nsecond [Start 0]", "due_date", "2026-01-01"],
    [first, "icomment", `*markdown* [${second.slice(0, 10)}]`, "mimetype", "text/x-markdown", "login", "bob"],
    [first, "status", "Closed", "resolution", "Fixed"],
    [second, "title", "A new title", "private_contact", "someone@example.org"],
  ];
  for (const args of changes)
    await hands.inRepository(["ticket", "set", ...args, "--quote"], { user: "bob" });
  hands.edit(`hand/${round}/one.txt`, `for ticket ${first}\n`);
  await hands.commit(`Fixes ticket [${first.slice(0, 10)}]`);
}

async function ticket(hands: Hands, ...fields: string[]): Promise<string> {
  const said = await hands.inRepository(["ticket", "add", ...fields]);
  return /[0-9a-f]{40}/.exec(said)![0];
}

export async function technotes(hands: Hands, round: number): Promise<void> {
  const note = ["--technote-tags", "news,release", "--technote-bgcolor", "#ffe0c0"];
  const date = `2024-03-0${1 + (round % 9)} 12:00:00`;
  await hands.inRepository(["wiki", "create", `Note ${round}`, "-t", date, ...note], {
    input: `Body [Start ${round}]\n`,
  });
  const listed = await hands.inRepository(["wiki", "list", "-t", "-s"]);
  const id = listed
    .split("\n")
    .find((line) => line.includes(date.slice(0, 10)))!
    .split(" ")[0]!;
  await hands.inRepository(["wiki", "commit", `Note ${round} again`, "-t", id], { input: "New *body*\n" });
  await hands.inRepository(["wiki", "create", "Short note", "-t", "now", "-M", "markdown"], {
    input: "# now\n",
  });
  const file = hands.temp.write(
    "figure.bin",
    Uint8Array.from({ length: 500 }, (_, i) => (i * 7 + round) & 255),
  );
  await hands.inRepository(["attachment", "add", file, "-t", id]);
}

/**
 * Edits keep the thread's title: when one changes it, stock's `event.comment` of the whole thread depends on
 * the order in which posts were linked, and a rebuild links in another order than they came.
 */
export async function forum(url: string, rounds: number): Promise<void> {
  const alice = await StockBrowser.login(url, "alice", PASSWORD);
  const carol = await StockBrowser.login(url, "carol", PASSWORD);
  for (let thread = 0; thread < 1 + rounds; thread++) {
    const title = `Thread ${thread}: Größe & <tags>`;
    const root = await alice.create("/forume1", {
      title,
      mimetype: "text/x-markdown",
      content: `Hello, *see* [Start 0]\n\nThread ${thread}`,
      submit: "Submit",
    });
    const reply = await carol.create("/forume2", {
      fpid: root,
      reply: "1",
      mimetype: "text/x-fossil-wiki",
      content: "<i>A reply</i>",
      submit: "Submit",
    });
    await alice.create("/forume2", { fpid: reply, reply: "1", content: "A reply to it", submit: "Submit" });
    await carol.create("/forume2", {
      fpid: reply,
      edit: "1",
      content: "An edited reply",
      submit: "Submit",
    });
    await alice.create("/forume2", {
      fpid: root,
      edit: "1",
      title,
      content: "Edited",
      submit: "Submit",
    });
  }
}

/** What only pages can do: attach to a ticket, remove an attachment. */
export async function pagesOnly(hands: Hands, url: string): Promise<void> {
  const alice = await StockBrowser.login(url, "alice", PASSWORD);
  const before = await attachments(hands);
  const ticket = await hands.sql("SELECT tkt_uuid FROM ticket ORDER BY tkt_uuid LIMIT 1");
  const content = new TextEncoder().encode("a log\n");
  const file = { field: "f", name: "log file.txt", content };
  await alice.submit("/attachadd", { tkt: ticket, comment: "the log", ok: "Add Attachment" }, file);
  const attached = await hands.sql(
    "SELECT uuid FROM attachment JOIN blob ON rid = attachid WHERE target GLOB 'Start*' AND isLatest LIMIT 1",
  );
  await alice.submit(`/ainfo/${attached}`, { confirm: "Confirm", name: attached });
  if ((await attachments(hands)) !== before + 2) throw new StockError("the attachment pages changed nothing");
}

async function attachments(hands: Hands): Promise<number> {
  return Number(await hands.sql("SELECT count(*) FROM attachment"));
}
