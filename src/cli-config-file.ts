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
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new UsageError("config-syntax", `${path} is not TOML: ${reason}`, { cause: error });
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
