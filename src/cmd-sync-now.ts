/** `edgesync sync now`: has the running leaf sync with its peers, waits, and tells what came of it. */
import { command, option } from "./cli-command.ts";
import { askLeaf } from "./cli-leaf.ts";
import { columns, formatBytes } from "./cli-output.ts";
import { duration } from "./cli-values.ts";
import { EXIT } from "./errors.ts";
import type { SyncStatus } from "./leaf-status.ts";

export const nowCommand = command({
  description: "has the running leaf sync with all its peers, and waits for it",
  args: {
    timeout: option(
      { description: "wait no longer than this; the leaf goes on", valueHint: "DURATION", default: "5m" },
      duration,
    ),
  },
  examples: [
    { line: "edgesync sync now -R project.fossil", about: "the leaf of this repository" },
    { line: "edgesync sync now --timeout 10s", about: "ends with status 4 when it takes longer" },
  ],
  run: async ({ timeout }, context) => {
    const outcomes = (await askLeaf(context, "POST /sync", timeout, {})) as readonly SyncStatus[];
    if (outcomes.length === 0) context.out.note("this leaf has no peers");
    context.out.result(outcomes, () => columns(outcomes.map(row)));
    const isGood = ({ error, refused }: SyncStatus) => error === null && refused.length === 0;
    return outcomes.every(isGood) ? EXIT.done : EXIT.failed;
  },
});

function row(outcome: SyncStatus): string[] {
  const { peer, artifactsSent, artifactsReceived, filesSent, filesReceived, error, refused } = outcome;
  if (error !== null) return [peer, "failed", error.message];
  const sent = `sent ${artifactsSent + filesSent} (${formatBytes(outcome.bytesSent)})`;
  const received = `received ${artifactsReceived + filesReceived} (${formatBytes(outcome.bytesReceived)})`;
  const problems = refused.map(({ what, problem }) => `refused ${what}: ${problem}`);
  return [peer, "done", [sent, received, ...problems].join(", ")];
}
