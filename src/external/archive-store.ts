/** What an archive has cannot be what was written to it. */
export class ArchiveError extends Error {}

/** An object of an archive. */
export interface StoredObject {
  /** E.g. `log/interaction/2026-01/manifest.json`: parts of letters, digits, dots, hyphens and underscores, with slashes between them. */
  name: string
  bytes: number
}

/** Where archives are: objects by name, each written whole or not at all. test/archive/archive-store.fault.test.ts is the contract of every implementation. */
export interface ArchiveStore {
  /** The place in messages, without secrets. */
  place: string
  /** Writes an object, in place of one that is there. When the chunks fail, or the process ends, no object of the name is begun. */
  put: (name: string, chunks: AsyncIterable<Uint8Array>) => Promise<void>
  /**
   * Writes an object unless one of the name is there: of concurrent callers one writes. @returns false when one is there; after a lost
   * answer that can be the one of this call.
   */
  create: (name: string, bytes: Uint8Array) => Promise<boolean>
  /** The bytes of an object; undefined when there is none. */
  read: (name: string) => Promise<AsyncIterable<Uint8Array> | undefined>
  /** The objects whose names begin with `prefix`, in the order of their names. */
  list: (prefix: string) => AsyncIterable<StoredObject>
  /** Removes an object; one that is not there is no error. */
  remove: (name: string) => Promise<void>
  /** Ends its connections. */
  close: () => void
}

/** The bytes of a small object; undefined when there is none. @throws when it is larger. */
export async function readSmall(store: ArchiveStore, name: string, bytesMax: number): Promise<Buffer | undefined> {
  const chunks = await store.read(name)
  if (chunks === undefined) return undefined
  const read: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new ArchiveError(`${name} in ${store.place} has more than ${bytesMax} bytes`)
    read.push(chunk)
  }
  return Buffer.concat(read)
}

const NAME = /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/

/** @throws for a name that could leave the archive. */
export function checkedName(name: string): string {
  if (!NAME.test(name)) throw new Error(`${name} is no name of an object of the archive`)
  return name
}
