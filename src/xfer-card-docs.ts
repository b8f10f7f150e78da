/** `docs/xfer-cards.md`, made from the card table; a test compares the file with what this returns. */
import { CARD_LINE_MAX_BYTES, CARD_MAX_COUNT, CARD_TOKEN_MAX_COUNT } from "./limits.ts";
import { type AnyCardSpec, CARD_TABLE, type PayloadRule } from "./xfer-card-table.ts";
import { TOKEN_CODECS, type TokenKind } from "./xfer-token.ts";

const PAYLOAD_NOTES: Readonly<Record<PayloadRule, string>> = {
  bare: "bytes; the next card follows at once",
  "line-feed-if-missing": "bytes, then a line feed unless they end with one",
  "line-feed": "bytes, then a line feed",
};

const MISFIT_NOTES: Readonly<Record<AnyCardSpec["misfit"], string>> = {
  unknown: "not a card",
  ignored: "ignored",
  fatal: "ends the message",
};

export function cardDocs(): string {
  const specs = Object.entries(CARD_TABLE) as unknown as [string, AnyCardSpec][];
  return `${INTRODUCTION}
## Cards

| card | from | payload | at most | if it does not fit | meaning |
|---|---|---|---|---|---|
${specs.map(([type, spec]) => cardRow(type, spec)).join("\n")}

## Tokens

| kind | grammar | fields |
|---|---|---|
${tokenRows(specs).join("\n")}
`;
}

const INTRODUCTION = `# Cards of the sync protocol

Made from \`src/xfer-card-table.ts\`: change that file, then \`npm run docs\`.

A message is a sequence of lines. A line that starts with \`#\` is a comment. Any other line is a card: tokens
parted by white space, of which the first ${CARD_TOKEN_MAX_COUNT} count, and for some cards a payload of bytes after the line.
A line has at most ${CARD_LINE_MAX_BYTES} bytes, a message at most ${CARD_MAX_COUNT} cards. In text, white space and backslash are
escaped: \`\\s\` space, \`\\t\` tab, \`\\n\` line feed, \`\\r\` return, \`\\v\` vertical tab, \`\\f\` form feed, \`\\0\` NUL, \`\\\\\`
backslash.

"If it does not fit" says what a receiver makes of a line with that keyword and other tokens. A card from the
wrong side is not a card. Unknown pragmas are ignored.
`;

function cardRow(type: string, spec: AnyCardSpec): string {
  const fields = spec.fields as readonly { name: string; optional?: true }[];
  const tokens = fields.map(({ name, optional }) =>
    optional ? `[${name.toUpperCase()}]` : name.toUpperCase(),
  );
  if (spec.more === "ignored" && !type.startsWith("pragma ")) tokens.push("…");
  const from = spec.from.length === 2 ? "both" : spec.from[0];
  const payload = spec.payload === undefined ? "" : PAYLOAD_NOTES[spec.payload.rule];
  const max = spec.payload === undefined ? "" : `${spec.payload.maxBytes} bytes`;
  const card = `\`${[type, ...tokens].join(" ")}\``;
  return `| ${[card, from, payload, max, MISFIT_NOTES[spec.misfit], spec.doc].join(" | ")} |`;
}

function tokenRows(specs: readonly [string, AnyCardSpec][]): string[] {
  return (Object.keys(TOKEN_CODECS) as TokenKind[]).map((kind) => {
    const names = specs.flatMap(([, spec]) =>
      (spec.fields as readonly { name: string; kind: TokenKind }[])
        .filter((field) => field.kind === kind)
        .map((field) => field.name.toUpperCase()),
    );
    return `| ${kind} | ${TOKEN_CODECS[kind].doc} | ${[...new Set(names)].join(", ")} |`;
  });
}
