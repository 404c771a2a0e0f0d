import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { removeSegmentsBefore, segmentOf, segmentsAfter } from '../../src/cli/backup/wal-files.ts'

const OPS = join(import.meta.dirname, '..', '..', 'ops')
const NAME = '000000010000000A000000FF'

let folder: string
let archive: string
let segment: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "footfall wal's-"))
  archive = join(folder, 'archive')
  segment = join(folder, NAME)
  mkdirSync(archive)
  writeFileSync(segment, 'one')
})
afterEach(() => rmSync(folder, { recursive: true }))

const archiveIt = () => spawnSync('sh', [join(OPS, 'archive-wal.sh'), segment, archive]).status
const bring = (name: string, ...folders: string[]) =>
  spawnSync('sh', [join(OPS, 'restore-wal.sh'), name, join(folder, 'brought'), ...folders]).status
const brought = () => readFileSync(join(folder, 'brought'), 'utf8')

test('a file is archived whole, again with success, and never replaced by another one of its name', () => {
  expect(archiveIt()).toBe(0)
  expect(readdirSync(archive)).toEqual([`${NAME}.gz`])
  expect(archiveIt()).toBe(0)
  writeFileSync(segment, 'two')
  expect(archiveIt()).not.toBe(0)
  expect(bring(NAME, archive)).toBe(0)
  expect(brought()).toBe('one')
})

test('what a killed archiving left is written again, and a folder that is gone is a failure', () => {
  writeFileSync(join(archive, `${NAME}.gz.partial`), 'half')
  expect(archiveIt()).toBe(0)
  expect(readdirSync(archive)).toEqual([`${NAME}.gz`])
  rmSync(archive, { recursive: true })
  expect(archiveIt()).not.toBe(0)
  expect(existsSync(archive)).toBe(false)
})

test('a file is brought from the first folder that has it; none has it is another status than a broken one', () => {
  expect(bring(NAME, archive, folder)).toBe(0)
  expect(brought()).toBe('one')
  expect(bring('00000002.history', archive, folder)).toBe(1)
  expect(bring('00000002.history')).toBe(1)
  archiveIt()
  truncateSync(join(archive, `${NAME}.gz`), 10)
  // Above 125, so that PostgreSQL stops instead of taking it for the end of the log.
  expect(bring(NAME, archive, folder)).toBe(200)
})

test('a place of the log is in the file that PostgreSQL names after it', () => {
  expect(segmentOf({ timeline: 1, lsn: '0/2000028' })).toBe('000000010000000000000002')
  expect(segmentOf({ timeline: 18, lsn: 'A/FF00AB12' })).toBe('000000120000000A000000FF')
})

test('old files are removed by their place on any timeline, and histories, notes and unknown files stay', async () => {
  const old = [
    '000000010000000000000001.gz',
    '000000010000000000000002.00000028.backup.gz',
    '000000020000000000000002.partial.gz',
  ]
  const kept = ['00000002.history.gz', '000000010000000000000003.gz', '000000020000000000000003.gz', 'README']
  for (const name of [...old, ...kept]) writeFileSync(join(archive, name), '')
  expect(await segmentsAfter([archive, join(folder, 'missing')], { timeline: 1, lsn: '0/2000028' })).toEqual([
    '000000010000000000000003',
  ])
  expect(await removeSegmentsBefore(archive, '000000020000000000000003')).toBe(3)
  expect(readdirSync(archive).sort()).toEqual(kept.toSorted())
})
