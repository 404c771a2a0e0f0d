import { statfs } from 'node:fs/promises'
import { totalmem } from 'node:os'

const MIB = 2 ** 20
const GIB = 2 ** 30

/** What a PostgreSQL of Footfall has to itself. */
export interface Machine {
  memoryBytes: number
  /** Free space of the disk of the data folder. */
  diskBytes: number
}

/** @param folder Exists. */
export async function machineOf(folder: string): Promise<Machine> {
  const { bavail, bsize } = await statfs(folder)
  return { memoryBytes: totalmem(), diskBytes: bavail * bsize }
}

/**
 * Settings for many small writes of the same rows, and for the memory and disk of a machine on which the other processes run too. docs/deploying.md
 * has what each of them does.
 */
export function loadSettings({ memoryBytes, diskBytes }: Machine): Record<string, string> {
  return {
    shared_buffers: mebibytes(within(memoryBytes / 8, 128 * MIB, 4 * GIB)),
    effective_cache_size: mebibytes(memoryBytes / 2),
    // The first change of a page after a checkpoint writes the whole page into the log, so fewer checkpoints write less.
    max_wal_size: mebibytes(within(diskBytes / 20, GIB, 2 * GIB)),
    checkpoint_timeout: '15min',
    wal_compression: 'pglz',
    // The most popular products change some thousand times between two looks.
    autovacuum_naptime: '5s',
  }
}

function within(bytes: number, least: number, most: number): number {
  return Math.min(Math.max(bytes, least), most)
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / MIB)}MB`
}
