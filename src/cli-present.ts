/** The peers that a leaf sees, as rows for people. */
import type { PresentStatus } from "./leaf-status.ts";

const TIP_DIGITS = 10;

/** Nothing when there are none. */
export function presentRows(list: readonly PresentStatus[]): string[][] {
  if (list.length === 0) return [];
  const rows = list.map(({ peerId, name, role, version, artifacts, tips, lagMs, transports }) => [
    peerId,
    name,
    role,
    version,
    artifacts === 0 ? "" : `${artifacts}`,
    tips[0]?.slice(0, TIP_DIGITS) ?? "",
    lagMs === 0 ? "" : `${(lagMs / 1000).toFixed(1)} s`,
    transports.join(" "),
  ]);
  return [
    ["", ""],
    ["PRESENT", "NAME", "ROLE", "VERSION", "ARTIFACTS", "TIP", "LAG", "ANSWERS OVER"],
    ...rows,
  ];
}
