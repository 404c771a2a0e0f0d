import { pino } from 'pino'
import pg from 'pg'
import { expect, test } from 'vitest'
import { createDiskCheck } from '../../src/main/embedded/disk-space.ts'
import { createFullDiskWatch } from '../../src/main/endpoint/full-disk.ts'

const MIB = 1024 * 1024

test('a disk that becomes full is named once, and once when it has space', async () => {
  let freeBytes = 1_000 * MIB
  const printed: string[] = []
  const spaceFor: string[] = []
  const options = {
    ...{ home: '/data', places: [], print: (line: string) => void printed.push(line) },
    onSpace: (writers: readonly string[]) => void spaceFor.push(...writers),
  }
  const other = { folder: '/other', writers: ['the logs'], freeBytes: 1_000 * MIB }
  const check = createDiskCheck(options, async () => [{ folder: '/data', writers: ['PostgreSQL', 'Restate'], freeBytes }, other])
  for (const mib of [100, 33, 31, 5, 0, 31, 40, 63]) {
    freeBytes = mib * MIB
    await check()
  }
  expect(printed).toEqual(['The disk of /data is full (31 MiB left): PostgreSQL and Restate cannot write until there is space.'])
  expect(spaceFor).toEqual([])
  freeBytes = 64 * MIB
  await check()
  await check()
  expect(printed.slice(1)).toEqual(['The disk of /data has space again (64 MiB).'])
  expect(spaceFor).toEqual(['PostgreSQL', 'Restate'])
})

test('a full disk of PostgreSQL is logged once, however many attempts fail, and again after ten quiet minutes', () => {
  let nowMs = 0
  const lines: string[] = []
  const log = pino({ base: null, timestamp: false }, { write: (line) => void lines.push(line) })
  const watch = createFullDiskWatch(log, () => nowMs)
  const full = Object.assign(new pg.DatabaseError('could not extend file', 1, 'error'), { code: '53100' })
  watch(new Error('another problem'))
  watch(undefined)
  expect(lines).toEqual([])
  for (; nowMs < 3_600_000; nowMs += 10_000) watch(new Error('a step failed', { cause: full }))
  expect(lines).toEqual(['{"level":50,"msg":"the disk of PostgreSQL is full: nothing is recorded until there is space"}\n'])
  nowMs += 600_000
  watch(full)
  expect(lines).toHaveLength(2)
})
