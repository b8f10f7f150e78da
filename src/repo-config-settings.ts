/**
 * Which settings travel between repositories, and with which area of the configuration. Everything that is
 * not listed stays where it is. The names and their areas are Fossil's (`src/configure.c`), as of 2.29.
 *
 * A build of stock that runs hooks in its scripting language lets the setting `th1-hooks` travel too, which
 * turns them on. Nobody should be able to do that to others, so it is not listed.
 */
import type { ConfigPart } from "./repo-config-areas.ts";

const NAMES: Readonly<Partial<Record<ConfigPart, string>>> = {
  css: "css",
  skin: `
    header mainmenu footer details js default-skin logo-mimetype logo-image background-mimetype
    background-image icon-mimetype icon-image timeline-date-format timeline-default-style
    timeline-dwelltime timeline-closetime timeline-hard-newlines timeline-max-comment timeline-plaintext
    timeline-truncate-at-blank timeline-tslink-info timeline-utc adunit adunit-omit-if-admin
    adunit-omit-if-user default-csp sitemap-extra safe-html th1-uri-regexp`,
  project: `
    project-name short-project-name project-description index-page manifest binary-glob clean-glob
    ignore-glob keep-glob crlf-glob crnl-glob encoding-glob empty-dirs dotfiles parent-project-code
    parent-project-name hash-policy comment-format mimetypes forbid-delta-manifests mv-rm-files
    forum-statuses path-to-tag`,
  ticket: `
    ticket-table ticket-common ticket-change ticket-newpage ticket-viewpage ticket-editpage
    ticket-reportlist ticket-report-template ticket-key-template ticket-title-expr ticket-closed-expr
    th1-uri-regexp`,
  user: "user-color-map",
  xfer: `
    xfer-common-script xfer-push-script xfer-commit-script xfer-ticket-script th1-uri-regexp`,
};

/** By part, the names that are single settings. */
export const SETTINGS_OF: ReadonlyMap<ConfigPart, readonly string[]> = new Map(
  Object.entries(NAMES).map(([part, names]) => [part as ConfigPart, names.trim().split(/\s+/)]),
);

/** Settings of which there may be any number, by part: what their names begin with. */
export const SETTING_PREFIXES: ReadonlyMap<ConfigPart, string> = new Map([
  ["alias", "walias:/"],
  ["interwiki", "interwiki:"],
]);

/** The parts that the setting `name` belongs to; none when it does not travel. */
export function partsOfSetting(name: string): ConfigPart[] {
  const listed = [...SETTINGS_OF].filter(([, names]) => names.includes(name));
  const prefixed = [...SETTING_PREFIXES].filter(([, prefix]) => name.startsWith(prefix));
  return [...listed, ...prefixed].map(([part]) => part);
}
