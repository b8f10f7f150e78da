/** How commands talk to the leaf that runs for their repository. */
import type { CliContext } from "./cli-context.ts";
import { findRepository } from "./cli-repository.ts";
import { RepoError, TimeoutError } from "./errors.ts";
import { callLeaf, findLeaf } from "./leaf-control-client.ts";

/**
 * Asks the leaf of the command's repository.
 *
 * @param route of the leaf's control server: `GET /status`
 * @throws RepoError `no-leaf` when none runs; TimeoutError `leaf-timeout`; ProtocolError as `callLeaf`
 */
export async function askLeaf(
  { globals, clock }: CliContext,
  route: string,
  timeoutMs: number,
  input?: unknown,
): Promise<unknown> {
  const repository = findRepository(globals);
  const leaf = findLeaf(repository);
  if (leaf === undefined) {
    throw new RepoError("no-leaf", `no leaf keeps ${repository}`, {
      hint: `start one: edgesync leaf --repo ${repository}`,
    });
  }
  const controller = new AbortController();
  const timer = clock.after(timeoutMs, () => {
    const message = `the leaf with the process id ${leaf.pid} has not answered within ${timeoutMs / 1000} s`;
    controller.abort(
      new TimeoutError("leaf-timeout", message, { hint: "it goes on; wait longer with --timeout" }),
    );
  });
  try {
    return await callLeaf(leaf, route, { input, signal: controller.signal });
  } finally {
    timer.cancel();
  }
}
