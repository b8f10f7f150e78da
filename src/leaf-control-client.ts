/** How the leaf that keeps a repository is found and asked (`leaf-control.ts`). */
import { ProtocolError } from "./errors.ts";
import { type ControlFile, isProcess, readControlFile } from "./leaf-control-file.ts";

/**
 * The leaf that keeps a repository, as far as its file and the system's processes tell; undefined when there
 * is none, or none any more.
 *
 * @throws RepoError `control-file` when the file is another user's
 */
export function findLeaf(repository: string): ControlFile | undefined {
  const file = readControlFile(repository);
  return file !== undefined && isProcess(file.pid) ? file : undefined;
}

export interface CallOptions {
  /** Sent as JSON, with POST. */
  readonly input?: unknown;
  /** Ends the call early; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Asks a leaf.
 *
 * @param route as `ControlRoutes` names it: `GET /status`
 * @throws ProtocolError `leaf-gone` when nothing answers there, or something else; with the code of what the
 *   route threw
 */
export async function callLeaf(
  leaf: ControlFile,
  route: string,
  options: CallOptions = {},
): Promise<unknown> {
  const [method, path] = route.split(" ") as [string, string];
  const { input, signal } = options;
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(new URL(path, leaf.url), {
      method,
      headers: { Authorization: `Bearer ${leaf.token}`, Connection: "close" },
      keepalive: false,
      ...(input !== undefined && { body: JSON.stringify(input) }),
      ...(signal !== undefined && { signal }),
    });
    answer = await response.json();
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    throw new ProtocolError("leaf-gone", `the leaf with the process id ${leaf.pid} does not answer`, {
      cause,
    });
  }
  if (response.ok) return answer;
  const { code, message, hint } = (
    answer as { error: { code: string; message: string; hint: string | null } }
  ).error;
  throw new ProtocolError(code, message, hint === null ? {} : { hint });
}
