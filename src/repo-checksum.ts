/**
 * The R card: an MD5 over all files of a check-in, in order of the bytes of their names. Each file counts
 * as its name, a space, its size in decimal, a line feed, its content. No file at all gives the MD5 of
 * nothing. Source: fossil-facts F, verified against stock.
 */
import type { FileEntry } from "./artifact-types.ts";
import { encodeText } from "./bytes.ts";
import { RepoError } from "./errors.ts";
import type { Content } from "./repo-content.ts";

/**
 * @param files sorted, all with their hashes
 * @param known content of a file that need not be expanded, by its name; must be what its hash names
 * @throws RepoError `content-missing` when the content of a file is not in the repository
 */
export function filesChecksum(
  content: Content,
  files: Iterable<FileEntry>,
  known: (name: string) => Uint8Array | undefined = () => undefined,
): string {
  const md5 = new Bun.CryptoHasher("md5");
  for (const { name, hash } of files) {
    const bytes = known(name) ?? content.getByHash(hash!);
    if (bytes === undefined) {
      throw new RepoError("content-missing", `the content of ${JSON.stringify(name)} (${hash}) is not here`, {
        hint: "sync with a peer that has it, or turn the setting repo-cksum off",
        data: { name, hash },
      });
    }
    md5.update(encodeText(`${name} ${bytes.length}\n`));
    md5.update(bytes);
  }
  return md5.digest("hex");
}
