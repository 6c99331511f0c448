// Files out of what was dropped or chosen, with the folders they were in.

export interface Dropped {
  file: File;
  name: string; // path within what was dropped
}

/** More files than this at once are a mistake: a whole disk. */
export const maxFiles = 500;

/** Files that no scanner writes as its report. */
const noise = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini)$/i;

/** The files of an input element. Those of a folder carry their path. */
export function chosen(files: Iterable<File>): { files: Dropped[]; more: boolean } {
  const all = [...files].map((file) => ({ file, name: file.webkitRelativePath || file.name })).filter((f) => !noise.test(f.name));
  return { files: all.slice(0, maxFiles), more: all.length > maxFiles };
}

/** The files that were dropped, those in folders as well. To be called within the event, before it is over. */
export async function dropped(transfer: DataTransfer): Promise<{ files: Dropped[]; more: boolean }> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return chosen(transfer.files);
  const out: Dropped[] = [];
  let more = false;
  const visit = async (entry: FileSystemEntry): Promise<void> => {
    const name = entry.fullPath.replace(/^\//, '');
    if (noise.test(name)) return;
    if (out.length >= maxFiles) {
      more = true;
      return;
    }
    if (isFile(entry)) {
      out.push({ file: await new Promise<File>((resolve, reject) => entry.file(resolve, reject)), name });
      return;
    }
    for (const child of await children(entry as FileSystemDirectoryEntry)) await visit(child);
  };
  for (const entry of entries) await visit(entry);
  return { files: out, more };
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

/** A folder gives its entries a hundred at a time. */
async function children(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const out: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return out;
    out.push(...some);
  }
}
