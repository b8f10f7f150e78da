/**
 * `--config FILE`: a flat TOML table of options. Values are texts, numbers, booleans or arrays of them;
 * they are handed on as texts, so that a file accepts what the command line accepts.
 */
import { readFileSync } from "node:fs";
import type { ArgSources } from "./cli-args.ts";
import { UsageError } from "./errors.ts";

/** @throws UsageError `config-unreadable`, `config-syntax`, `config-value` */
export function readConfigFile(path: string): NonNullable<ArgSources["file"]> {
  let source: string;
  try {
    source = readFileSync(path, "utf8");
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : "cannot be read";
    throw new UsageError("config-unreadable", `${path} ${reason}`, { cause: error });
  }
  let table: Record<string, unknown>;
  try {
    table = Bun.TOML.parse(source) as Record<string, unknown>;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0]! : String(error);
    const where = `${path}, line ${lineOfFault(source)}`;
    throw new UsageError("config-syntax", `${where}: ${reason.replace("TOML Parse error", "not TOML")}`, {
      cause: error,
    });
  }
  const values = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(table)) {
    const list = Array.isArray(value) ? value : [value];
    if (!list.every((item) => ["string", "number", "boolean"].includes(typeof item))) {
      throw new UsageError(
        "config-value",
        `${path}: ${key}: expected text, number, true, false or an array of them`,
      );
    }
    values.set(key, list.map(String));
  }
  return { path, values };
}

/** Bun's parser tells no line: the one that what cannot be read begins in, after the most lines that can be. */
function lineOfFault(source: string): number {
  const lines = source.split("\n");
  let readable = lines.length - 1;
  while (readable > 0 && !isToml(lines.slice(0, readable).join("\n"))) readable--;
  return readable + 1;
}

function isToml(source: string): boolean {
  try {
    Bun.TOML.parse(source);
    return true;
  } catch {
    return false;
  }
}
