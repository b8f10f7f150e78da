/**
 * The one entry point. The version is answered at once; everything else is loaded when it is asked for,
 * command by command, so that starting costs what the command needs and no more.
 */
const words = process.argv.slice(2);

if (words.length === 1 && words[0] === "--version") {
  const { versionText } = await import("./cli-version.ts");
  // Not process.stdout, whose stream costs more than all the rest.
  console.log(versionText());
} else {
  const { runCli } = await import("./cli-run.ts");
  const env = { ...process.env };
  // The runtime's own fetch would follow these even where it is told to use no proxy: commands say which to use.
  for (const name of Object.keys(env)) if (/^(?:https?|all)_proxy$/i.test(name)) delete process.env[name];
  process.exit(await runCli(words, env));
}
