/**
 * Areas of the configuration: the parts of a repository's settings and tables that travel between
 * repositories of a project, each on its own.
 *
 *     email        concealed e-mail addresses       table concealed
 *     project      name, description, file globs    settings
 *     skin, css    appearance; skin includes css    settings
 *     shun         shunned artifacts                table shun
 *     ticket       ticket setup                     settings, table reportfmt
 *     user         users                            table user, setting user-color-map
 *     xfer         transfer scripts                 settings
 *     alias        URL aliases                      settings walias:/…
 *     subscriber   e-mail notification              table subscriber
 *     interwiki    interwiki prefixes               settings interwiki:…
 *     all
 *
 * Only settings of a list travel (`repo-config-settings.ts`). Users and subscribers are for administrators,
 * addresses for who may see them.
 *
 * Rules: fossil-facts C, D; Fossil `src/configure.c`.
 */

/** In the order in which stock looks for a name. */
export const CONFIG_AREAS = [
  "email",
  "project",
  "skin",
  "css",
  "shun",
  "ticket",
  "user",
  "xfer",
  "alias",
  "subscriber",
  "interwiki",
  "all",
] as const;
export type ConfigArea = (typeof CONFIG_AREAS)[number];

/** What no area divides: every area but `all`, and `skin` without `css`. */
export type ConfigPart = Exclude<ConfigArea, "all">;
export type ConfigParts = ReadonlySet<ConfigPart>;

const PARTS = CONFIG_AREAS.filter((area): area is ConfigPart => area !== "all");

export const ALL_PARTS: ConfigParts = new Set(PARTS);

/** Whose rows of the configuration a caller may see and change. */
export interface ConfigurationRights {
  /** Users and subscribers. */
  readonly isAdmin: boolean;
  /** Concealed e-mail addresses. */
  readonly seesAddresses: boolean;
}

/** What belongs to an area, as far as the caller has a right to it. */
export function partsOf(area: ConfigArea, rights?: ConfigurationRights): ConfigParts {
  const parts = area === "all" ? PARTS : area === "skin" ? (["skin", "css"] as const) : [area];
  return allowed(new Set(parts), rights);
}

/** `parts` without those that the caller has no right to. */
export function allowed(parts: ConfigParts, rights?: ConfigurationRights): ConfigParts {
  if (rights === undefined) return parts;
  const kept = new Set(parts);
  if (!rights.isAdmin) for (const part of ["user", "subscriber"] as const) kept.delete(part);
  if (!rights.seesAddresses) kept.delete("email");
  return kept;
}

/** The first area whose name begins with `name`, as stock looks it up. */
export function findArea(name: string): ConfigArea | undefined {
  return CONFIG_AREAS.find((area) => area.startsWith(name));
}
