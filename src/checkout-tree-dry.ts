/** A change of files that is only talked about: looks at the tree, judges names, and writes nothing. */
import { TreeChange } from "./checkout-tree.ts";

export class DryTreeChange extends TreeChange {
  override write(name: string): number {
    this.path(name);
    return 0;
  }

  override create(name: string): number | undefined {
    return this.stat(name) === undefined ? 0 : undefined;
  }

  override remove(name: string): boolean {
    const found = this.stat(name);
    return found !== undefined && !found.isFolder;
  }

  override move(from: string, to: string): void {
    this.path(from);
    this.path(to);
  }

  override setExecutable(name: string, isExecutable: boolean): boolean {
    const found = this.stat(name);
    return found?.kind === "file" && (found.permission === "x") !== isExecutable;
  }

  override setTime(): void {}

  override makeFolder(): void {}

  override removeEmptyFolders(): void {}
}
