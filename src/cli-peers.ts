/**
 * The peers of `--peer`, from addresses to wires. Addresses may be names of remotes of the repository. The login of
 * each is found as for `edgesync sync`, once; a password is asked for only at the start.
 */
import type { CliContext } from "./cli-context.ts";
import { type Connection, dialer, type RemoteValues } from "./cli-remote.ts";
import { UsageError } from "./errors.ts";
import type { SyncPeer } from "./leaf-sync.ts";
import { Repo } from "./repo.ts";
import { findRemote, type HttpRemote } from "./sync-remote.ts";

interface Known {
  readonly remote: HttpRemote;
  password: string | undefined;
  dial: () => Connection;
}

export class HttpPeers {
  private constructor(
    private readonly known: readonly Known[],
    private readonly values: RemoteValues,
    private readonly context: CliContext,
  ) {}

  /**
   * @param repository where names and passwords are remembered
   * @throws UsageError `bad-peer`, and as `findRemote` and `dialer`
   */
  static async read(
    written: readonly string[],
    repository: string,
    values: RemoteValues,
    context: CliContext,
  ): Promise<HttpPeers> {
    const { clock, random } = context;
    const repo = Repo.open(repository, { mode: "read", clock, random });
    try {
      const known = new Map<string, Known>();
      for (const address of written) {
        const { remote, password } = findRemote(repo, address);
        if (remote.kind !== "http") {
          throw new UsageError("bad-peer", `the peer ${JSON.stringify(address)} is no web address`, {
            hint: "expected http[s]://HOST[:PORT][/PATH]",
          });
        }
        const dial = await dialer(remote, values, context, password);
        known.set(remote.url, { remote, dial, password: passwordOf(dial) ?? password });
      }
      return new HttpPeers([...known.values()], values, context);
    } finally {
      repo.close();
    }
  }

  get list(): SyncPeer[] {
    return this.known.map((peer) => ({
      name: peer.remote.url,
      transport: "http",
      connect: () => peer.dial(),
    }));
  }

  /** Reads passwords and certificates again. @throws as `dialer`; then all stays as it was */
  async reload(): Promise<void> {
    const { context } = this;
    // Standard input can be read once.
    const values =
      this.values.passwordFile === "-" ? { ...this.values, passwordFile: undefined } : this.values;
    const dials = await Promise.all(
      this.known.map(({ remote, password }) => dialer(remote, values, context, password)),
    );
    for (const [i, dial] of dials.entries()) this.known[i]!.dial = dial;
  }
}

/** What was typed is not to be asked for again. */
function passwordOf(dial: () => Connection): string | undefined {
  return dial().login?.password;
}
