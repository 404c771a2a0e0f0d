import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keysAndErasedText } from '../../src/cli/backup/keys-and-erased.ts'
import { type Manifest, readManifest } from '../../src/cli/backup/manifest.ts'
import { listsOfFiles, merged } from '../../src/cli/restore/newer-lists.ts'
import type { ListedKey } from '../../src/store/backup/keys-and-erased.ts'

const backups = mkdtempSync(join(tmpdir(), 'footfall-lists-'))
const place = { lsn: '0/2000028', timeline: 1 }
const instantOf = (day: number) => `2026-11-0${day}T00:00:00.000Z`

function manifestOf(day: number, system = '1'): Manifest {
  return {
    format: 1,
    began_at: instantOf(day),
    finished_at: instantOf(day),
    release: 'r',
    schema: '0001_a.sql',
    postgresql: '18.4',
    is_embedded: true,
    system_identifier: system,
    start: place,
    stop: place,
    last_batch: '1',
    log: {},
    files: [],
  }
}

const keyOf = (id: string, revokedDay?: number): ListedKey => ({
  key_id: id,
  name: id,
  created_at: instantOf(1),
  revoked_at: revokedDay === undefined ? null : instantOf(revokedDay),
})

beforeAll(() => {
  const make = (name: string, manifest: Manifest, keys: ListedKey[], erasedDay: number) => {
    mkdirSync(join(backups, name))
    writeFileSync(join(backups, name, 'manifest.json'), JSON.stringify(manifest))
    const erased = [{ id_hmac: 'h', key_id: 'k', erased_at: instantOf(erasedDay) }]
    writeFileSync(join(backups, name, 'keys-and-erased.json'), keysAndErasedText({ keys, erased }))
  }
  make('day-2', manifestOf(2), [keyOf('a')], 2)
  make('day-3', manifestOf(3), [keyOf('a')], 3)
  make('day-4', manifestOf(4), [keyOf('a', 4), keyOf('b')], 3)
  make('day-5-of-another', manifestOf(5, '2'), [keyOf('z')], 5)
  mkdirSync(join(backups, 'day-6.partial'))
})
afterAll(() => rmSync(backups, { recursive: true }))

test('lists are taken of newer backups of the same database, and of files', async () => {
  const lists = await listsOfFiles(join(backups, 'day-3'), manifestOf(3), [join(backups, 'day-2', 'keys-and-erased.json')])
  expect(lists.map(({ source }) => source.slice(backups.length + 1))).toEqual([
    'day-4/keys-and-erased.json',
    'day-2/keys-and-erased.json',
  ])
})

test('a key is revoked when one list says so, and a person is erased up to the latest instant', async () => {
  const file = join(backups, 'day-2', 'keys-and-erased.json')
  const list = merged(await listsOfFiles(join(backups, 'day-2'), manifestOf(2), [file]))
  expect(list.keys).toEqual([keyOf('a', 4), keyOf('b')])
  expect(list.erased).toEqual([{ id_hmac: 'h', key_id: 'k', erased_at: instantOf(3) }])
  await expect(listsOfFiles(join(backups, 'day-2'), manifestOf(2), [join(backups, 'none')])).rejects.toThrow('cannot be read')
})

test.each(['../base.tar', '/etc/passwd', 'a/base.tar', '..', ''])(
  'a manifest that names the file %j is refused',
  async (name) => {
    const folder = join(backups, 'others', 'day-7')
    mkdirSync(folder, { recursive: true })
    const write = (file: string) =>
      writeFileSync(
        join(folder, 'manifest.json'),
        JSON.stringify({ ...manifestOf(7), files: [{ name: file, bytes: 1, sha256: '' }] }),
      )
    write('base.tar')
    expect((await readManifest(folder)).files).toHaveLength(1)
    write(name)
    await expect(readManifest(folder)).rejects.toThrow('it is no manifest of a backup')
  },
)
