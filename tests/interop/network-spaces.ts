/**
 * Network namespaces of Linux, joined by virtual cables: hosts of a small internet, for tests that run as root. All of
 * them go when the test ends, those too that an earlier run left when it was killed.
 */
import { readdirSync } from "node:fs";
import { atEnd } from "../at-end.ts";

const PREFIX = "edgesync-";

function ip(...args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["ip", ...args], { stdin: "ignore" });
  if (exitCode !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
}

/** Why there can be none here; undefined: there can. */
export function whyNoSpaces(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are of Linux";
  if (process.getuid?.() !== 0) return "network namespaces want root";
  if (Bun.which("ip") === null) return "there is no ip command";
  const name = `${PREFIX}${process.pid}-probe`;
  try {
    ip("netns", "add", name);
    ip("netns", "del", name);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

export class NetworkSpaces implements Disposable {
  private readonly spaces = new Set<string>();
  private cableCount = 0;

  constructor() {
    for (const name of readdirSync("/run/netns")) {
      const pid = Number(/^edgesync-(\d+)-/.exec(name)?.[1]);
      if (pid > 0 && !isAlive(pid)) ip("netns", "del", name);
    }
    atEnd(() => this[Symbol.dispose]());
  }

  /** Adds a host. */
  host(name: string): Host {
    const space = `${PREFIX}${process.pid}-${name}`;
    ip("netns", "add", space);
    this.spaces.add(space);
    ip("-n", space, "link", "set", "lo", "up");
    return new Host(space);
  }

  /** Lays a cable between two hosts, each with an address as `10.1.2.3/24` at its end. */
  cable(one: Host, oneAddress: string, other: Host, otherAddress: string): [End, End] {
    const name = `es${process.pid % 100_000}c${this.cableCount++}`;
    ip(
      "-n",
      one.space,
      "link",
      "add",
      `${name}a`,
      "type",
      "veth",
      "peer",
      "name",
      `${name}b`,
      "netns",
      other.space,
    );
    const ends: [End, End] = [new End(one.space, `${name}a`), new End(other.space, `${name}b`)];
    ends[0].add(oneAddress);
    ends[1].add(otherAddress);
    for (const end of ends) end.set("up");
    return ends;
  }

  [Symbol.dispose](): void {
    for (const space of this.spaces) {
      this.spaces.delete(space);
      ip("netns", "del", space);
    }
  }
}

export class Host {
  constructor(readonly space: string) {}

  /** The words that start a program on it. */
  get words(): readonly string[] {
    return ["ip", "netns", "exec", this.space];
  }
}

/** Of a cable. */
export class End {
  constructor(
    private readonly space: string,
    private readonly device: string,
  ) {}

  set(state: "up" | "down"): void {
    ip("-n", this.space, "link", "set", this.device, state);
  }

  add(address: string): void {
    ip("-n", this.space, "address", "add", address, "dev", this.device);
  }

  remove(address: string): void {
    ip("-n", this.space, "address", "del", address, "dev", this.device);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
