/**
 * Deliberate defects, each one change of one line of the product, which the simulator must find. They show that
 * its checks can fail. `find` must be in the file exactly once.
 */
export interface Mutant {
  readonly name: string;
  /** In src/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly also?: { readonly find: string; readonly replace: string };
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: "content is not verified",
    file: "repo-receive.ts",
    find: "  if (hashMatches(bytes, hash)) return;\n  throw",
    replace: "  if (bytes.length >= 0) return;\n  throw",
  },
  {
    name: "a push needs no right",
    file: "sync-server-receive.ts",
    find: 'if (!x.allows("file")) {',
    replace: 'if (x === undefined && !x.allows("file")) {',
  },
  {
    name: "private artifacts for whoever asks",
    file: "sync-server-intent.ts",
    find: 'if (x.allows("pragma send-private")) x.wantsPrivate = true;',
    replace: 'if (x.allows("pragma client-version")) x.wantsPrivate = true;',
  },
  {
    name: "a private artifact is received as public by a client",
    file: "sync-client-reply.ts",
    find: "{ hash, delta: content, source }, { isPrivate });",
    replace: "{ hash, delta: content, source }, { isPrivate: isPrivate && false });",
  },
  {
    name: "a private artifact is received as public by a server",
    file: "sync-server-receive.ts",
    find: "const rid = batch.receive(incoming, { isPrivate });",
    replace: "const rid = batch.receive(incoming, { isPrivate: isPrivate && false });",
  },
  {
    name: "a server offers nothing",
    file: "sync-server-announce.ts",
    find: "offer(x, x.wantsCatalog ? allOffers(x.repo.db) : unclusteredOffers(x.repo.db));",
    replace: "offer(x, x.wantsCatalog ? allOffers(x.repo.db) : []);",
  },
  {
    name: "what waits for ever is offered",
    file: "repo-blob.ts",
    find: "SELECT rid FROM waiting`;",
    replace: "SELECT rid FROM waiting WHERE rid<0`;",
  },
  {
    name: "shunned artifacts are taken",
    file: "repo-receive.ts",
    find: "if (this.repo.content.isShunned(hash)) return true;",
    replace: "",
  },
  {
    name: "a delta of a shunned artifact fails the request",
    file: "repo-receive.ts",
    find: 'if (this.options.onWrong === "throw" && error.code !== SHUNNED_SOURCE) throw error;',
    replace: 'if (this.options.onWrong === "throw") throw error;',
  },
  {
    name: "nobody sends whole what was asked for whole",
    file: "sync-server-send.ts",
    find: 'if (rid !== undefined) sendArtifact(x, rid, "whole");',
    replace: "",
  },
  {
    name: "purging leaves deltas of what it purges",
    file: "repo-shun.ts",
    find: "if (!isShunned.has(dependent)) content.undelta(dependent);",
    replace: "if (isShunned.has(dependent)) content.undelta(dependent);",
  },
  {
    name: "the older unversioned file wins",
    file: "repo-unversioned.ts",
    find: "const isNewer = own.mtime < mtime ||",
    replace: "const isNewer = own.mtime > mtime ||",
  },
  {
    name: "unversioned files need no right",
    file: "sync-server-uv.ts",
    find: 'if (!x.allows("uvfile")) {',
    replace: 'if (x === undefined && !x.allows("uvfile")) {',
  },
  {
    name: "a server does not verify unversioned files",
    file: "sync-server-uv.ts",
    find: "(hash === undefined || !hashMatches(content, hash))",
    replace: "(hash === undefined || content.length < 0)",
  },
  {
    name: "a client does not verify unversioned files",
    file: "sync-client-uv.ts",
    find: "if (!hashMatches(bytes, hash)) {",
    replace: "if (bytes.length < 0) {",
  },
  {
    name: "configuration needs no right",
    file: "sync-server-config.ts",
    find: 'if (!x.allows("config")) {',
    replace: 'if (x === undefined && !x.allows("config")) {',
    // A second look at the rights stands behind the first.
    also: {
      find: 'return { isAdmin: x.capabilities.has("a"),',
      replace: 'x.capabilities.has("a");\n  return { isAdmin: true,',
    },
  },
  {
    name: "a signature is not checked",
    file: "repo-user.ts",
    find: "if (isRight) return true;",
    replace: "if (isRight || stored.length > 0) return true;",
  },
  {
    name: "a login counts for any message",
    file: "sync-login.ts",
    find: 'if (!nonceMatches(login.nonce, covered)) return { kind: "failed" };',
    replace: 'if (!nonceMatches(login.nonce, covered) && login.nonce === "") return { kind: "failed" };',
  },
  {
    name: "leaves stay leaves",
    file: "repo-leaf.ts",
    find: "for (const rid of rids) (isLeaf(db, rid) ? add : remove).run(rid);",
    replace: "for (const rid of rids) (isLeaf(db, rid) || remove === undefined ? add : add).run(rid);",
  },
  {
    name: "what waited is not linked",
    file: "repo-receive.ts",
    find: "        this.link(dependent, bytes);\n",
    replace: "",
  },
  {
    name: "tags are not handed on",
    file: "repo-tag.ts",
    find: "  for (const [tag, type, origin, mtime] of rows) {\n    propagate(",
    replace: "  for (const [tag, type, origin, mtime] of rows.slice(1)) {\n    propagate(",
  },
  {
    name: "a failed transaction is kept",
    file: "db.ts",
    find: 'if (this.inner.inTransaction) this.inner.run("ROLLBACK");',
    replace: 'if (this.inner.inTransaction) this.inner.run("COMMIT");',
  },
  {
    name: "every fifth transaction is lost",
    file: "db.ts",
    find: 'this.exec("COMMIT");',
    replace:
      'const self = this as unknown as { n?: number };\n      self.n = (self.n ?? 0) + 1;\n      this.exec(isWrite && self.n % 5 === 0 ? "ROLLBACK" : "COMMIT");',
  },
  {
    name: "idle rounds have no end",
    file: "sync-client.ts",
    find: "if (goesOn && this.idleRounds < SYNC_IDLE_ROUND_MAX_COUNT) {",
    replace: "if (goesOn && this.idleRounds < SYNC_IDLE_ROUND_MAX_COUNT * 1000) {",
  },
];
