/**
 * Which right each card of a client needs. One table, asked before a card has any effect; what a refusal
 * looks like is the handler's. Rules: fossil-facts D. Where stock asks for less, the row says so.
 */
import type { Capabilities, Capability } from "./repo-capability.ts";
import type { CardType } from "./xfer-card.ts";

/** A capability, or `pull`/`push`/`either`: the card counts only after a `pull` or `push` was accepted. */
export type Need = Capability | "nothing" | "pull" | "push";

export const CARD_NEEDS: Readonly<Partial<Record<CardType, Need>>> = {
  login: "nothing",
  cookie: "nothing",
  clone: "g",
  pull: "o",
  push: "i",
  file: "push",
  cfile: "push",
  igot: "push",
  gimme: "pull",
  private: "x",
  reqconfig: "o",
  config: "a",
  uvfile: "y",
  // Stock sends an unversioned file to anybody who knows its name.
  uvgimme: "o",
  "pragma client-version": "nothing",
  "pragma send-private": "x",
  "pragma send-catalog": "nothing",
  "pragma edgesync-gimme-only": "nothing",
  // Stock names clusters to anybody.
  "pragma req-clusters": "o",
  "pragma req-links": "nothing",
  "pragma client-url": "i",
  "pragma uv-hash": "o",
  // Stock lets anybody lock; here whoever may not commit is only told of others' locks.
  "pragma ci-lock": "i",
  "pragma edgesync-whole": "pull",
  // Needs the lock's client id, a secret of its holder.
  "pragma ci-unlock": "nothing",
};

/** Whether the caller may have `card` acted upon. A card that is not in the table has no effect at all. */
export function isAllowed(
  card: CardType,
  state: { readonly capabilities: Capabilities; readonly isPull: boolean; readonly isPush: boolean },
): boolean {
  const need = CARD_NEEDS[card];
  if (need === undefined) return false;
  if (need === "nothing") return true;
  if (need === "pull") return state.isPull;
  if (need === "push") return state.isPush;
  return state.capabilities.has(need);
}
