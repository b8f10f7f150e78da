/**
 * What a server says in `error` and `message` cards: stock's words, to the letter, because its clients
 * and people's scripts look at them. Some of stock's are percent-encoded instead of escaped; they are
 * kept as they are. Source: replies of stock 2.21 and 2.29.
 */
export const TEXTS = {
  loginFailed: "login failed",
  multipleLogins: "multiple login cards",
  wrongProject: "wrong project",
  noRead: "not authorized to read",
  noWrite: "not authorized to write",
  noClone: "not authorized to clone",
  noPrivate: "not authorized to sync private content",
  noConfig: "not authorized to push configuration",
  pullOnly: "pull only - not authorized to push",
  noUnversioned: "Write+permissions+for+unversioned+files+missing",
  sha3: "Fossil version 2.0 or later required.",
  cloneSequence: "invalid clone sequence number",
  uvHash: "in+uvfile+line%2C+HASH+does+not+match+CONTENT",
  malformed: (keyword: string) => `malformed+${keyword}+line`,
  /** For stock a line ends with a NUL, when it is said again. */
  badCommand: (line: string) => `bad command: ${line.split("\0", 1)[0]}`,
  wrongHash: (hash: string) => `wrong+hash+on+received+artifact%3A+${hash}`,
  schemaOutdated: "database schema is out-of-date on the server.",
} as const;
