/** A new project with its people, the same for every run. Made once per process. */
import { parseDate } from "../../src/julian.ts";
import { seededRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { addInitialCheckIn } from "../../src/repo-checkin.ts";
import { StandingClock } from "../scratch-repo.ts";
import { TempDir } from "../temp-dir.ts";
import { PASSWORDS, PEOPLE, type Person } from "./checks.ts";

/** When the first machine starts. */
export const START = parseDate("2026-01-31T12:00:00");

const templates = new Map<string, string>();
let templateFolder: TempDir | undefined;

/** @param nobody what a stranger may do */
export function templateFor(nobody: string): string {
  let path = templates.get(nobody);
  if (path !== undefined) return path;
  templateFolder ??= new TempDir("sim-template");
  path = templateFolder.join(`${nobody}-.fossil`);
  const repo = Repo.create(path, {
    clock: new StandingClock(START - 86_400_000),
    random: seededRandom(3n),
    user: "ann",
    password: PASSWORDS.ann,
    projectName: "Simulated",
    initialize: (created) => addInitialCheckIn(created, "ann"),
  });
  for (const [login, capabilities] of Object.entries(PEOPLE)) {
    if (login !== "ann") repo.users.add(login, { capabilities, password: PASSWORDS[login as Person] });
  }
  repo.users.setCapabilities("nobody", nobody);
  repo.users.setCapabilities("anonymous", "");
  repo.close();
  templates.set(nobody, path);
  return path;
}
