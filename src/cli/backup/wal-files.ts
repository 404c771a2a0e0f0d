import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogPlace } from '../../store/backup/base-backup.ts'

/** A file of the write-ahead log: its timeline, and its place in 16 digits. */
const SEGMENT = /^[0-9A-F]{24}(\.gz)?$/
/** Files that an archive has for a segment: itself, and the note of a backup that began in it. */
const OF_SEGMENT = /^[0-9A-F]{24}(\.[0-9A-F]{8}\.backup|\.partial)?(\.gz)?$/
const TIMELINE_DIGITS = 8
const DIGITS = 24

export function isSegment(name: string): boolean {
  return SEGMENT.test(name)
}

/** The file of the log that has a place; files have 16 MiB, as in every PostgreSQL that was not made with another size. */
export function segmentOf({ lsn, timeline }: LogPlace): string {
  const [high, low] = lsn.split('/').map((part) => Number.parseInt(part, 16)) as [number, number]
  return [timeline, high, low >>> 24].map((part) => part.toString(16).toUpperCase().padStart(TIMELINE_DIGITS, '0')).join('')
}

/** The files of the log in these folders that come after a place on its timeline. */
export async function segmentsAfter(folders: readonly string[], place: LogPlace): Promise<string[]> {
  const reached = segmentOf(place)
  const names = (await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])))).flat()
  const isLater = (name: string) => isSegment(name) && name.startsWith(timelineOf(reached)) && name.slice(0, DIGITS) > reached
  return names
    .filter(isLater)
    .map((name) => name.slice(0, DIGITS))
    .sort()
}

/** Removes the files of an archive whose place is before that of a segment, on any timeline. Histories of timelines stay. @returns how many. */
export async function removeSegmentsBefore(archive: string, segment: string): Promise<number> {
  const placeOf = (name: string) => name.slice(TIMELINE_DIGITS, DIGITS)
  const old = (await readdir(archive)).filter((name) => OF_SEGMENT.test(name) && placeOf(name) < placeOf(segment))
  for (const name of old) await rm(join(archive, name))
  return old.length
}

const timelineOf = (segment: string) => segment.slice(0, TIMELINE_DIGITS)
