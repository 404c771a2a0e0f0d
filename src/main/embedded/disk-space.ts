import { stat, statfs } from 'node:fs/promises'

/** A folder whose disk may become full, and what writes there. */
export interface Place {
  folder: string
  /** In a sentence, e.g. "PostgreSQL". */
  writer: string
}

export interface DiskWatchOptions {
  /** Its disk is named by this folder; places that do not exist yet will be on it. */
  home: string
  places: readonly Place[]
  print: (line: string) => void
  /** Called with the writers of a disk that was full and has space again. */
  onSpace: (writers: readonly string[]) => void
}

interface Disk {
  folder: string
  writers: string[]
  freeBytes: number
}

const CHECK_MS = 1_000
/** PostgreSQL needs 16 MiB for the next file of its write-ahead log, and Restate writes files of many MiB. */
const FULL_BYTES = 32 * 1024 * 1024
/** More than that, so that a disk at the edge is not full and free again by turns. */
const FREE_BYTES = 2 * FULL_BYTES

const listed = new Intl.ListFormat('en-GB', { type: 'conjunction' })
const mibOf = (bytes: number) => Math.floor(bytes / 1024 / 1024)

/** Says once when a disk becomes full, and once when it has space again. @returns a function that ends it. */
export function watchDisks(options: DiskWatchOptions): () => void {
  const check = createDiskCheck(options)
  // A file system that does not answer is another problem than a full one.
  const timer = setInterval(() => void check().catch(() => undefined), CHECK_MS)
  return () => clearInterval(timer)
}

/** One check of all disks. `disks` finds them. */
export function createDiskCheck(
  { print, onSpace, ...places }: DiskWatchOptions,
  disks = () => disksOf(places),
): () => Promise<void> {
  const full = new Set<string>()
  return async () => {
    for (const { folder, writers, freeBytes } of await disks()) {
      if (freeBytes < FULL_BYTES && !full.has(folder)) {
        full.add(folder)
        print(
          `The disk of ${folder} is full (${mibOf(freeBytes)} MiB left): ${listed.format(writers)} cannot write until there is space.`,
        )
      } else if (freeBytes >= FREE_BYTES && full.delete(folder)) {
        print(`The disk of ${folder} has space again (${mibOf(freeBytes)} MiB).`)
        onSpace(writers)
      }
    }
  }
}

/** Each disk once, named by the home or by the first of its places. */
async function disksOf({ home, places }: Pick<DiskWatchOptions, 'home' | 'places'>): Promise<Disk[]> {
  const homeDevice = (await stat(home)).dev
  const byDevice = new Map<number, Disk>()
  for (const { folder, writer } of places) {
    const device = await stat(folder).then(
      ({ dev }) => dev,
      () => homeDevice,
    )
    const named = device === homeDevice ? home : folder
    const { bavail, bsize } = await statfs(named)
    const disk = byDevice.get(device) ?? { folder: named, writers: [], freeBytes: bavail * bsize }
    disk.writers.push(writer)
    byDevice.set(device, disk)
  }
  return [...byDevice.values()]
}
