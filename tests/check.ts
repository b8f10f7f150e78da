/** `npm run check`: format and lint, types, architecture. All of them run; any that fails fails the check. */
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const tool = (name: string) => join(root, "node_modules", ".bin", name);

const CHECKS: readonly (readonly [name: string, words: string[]])[] = [
  ["format and lint", [process.execPath, tool("biome"), "check", "--error-on-warnings"]],
  ["types", [process.execPath, tool("tsc"), "-p", "."]],
  ["architecture", [process.execPath, "test", "tests/architecture.test.ts"]],
];

const failed = CHECKS.filter(([, words]) => {
  const { exitCode } = Bun.spawnSync(words, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  return exitCode !== 0;
});
if (failed.length > 0) {
  console.error(`check failed: ${failed.map(([name]) => name).join(", ")}`);
  process.exitCode = 1;
}
