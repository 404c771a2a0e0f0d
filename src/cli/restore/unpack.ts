import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StartError } from '../../main/config/start-error.ts'
import { postgresAccount } from '../../main/embedded/postgres-account.ts'
import { createCheck, progressOf, problemOf, serverChecksums } from '../backup/check-backup.ts'
import type { Manifest } from '../backup/manifest.ts'
import type { BackupProgress } from '../backup/take-backup.ts'
import type { EntrySink, TarEntry } from '../backup/tar.ts'

const OWNERS_AT_ONCE = 500

/** Unpacks a backup into a folder that PostgreSQL can start on, and checks every file. @throws StartError with what is damaged. */
export async function unpack(
  backup: string,
  manifest: Manifest,
  folder: string,
  onProgress: (progress: BackupProgress) => void,
): Promise<void> {
  refuseTablespaces(manifest)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { checksums, problems } = await serverChecksums(backup)
  const check = createCheck(checksums)
  const report = progressOf(manifest, onProgress)
  const made = [folder]
  for (const file of manifest.files) {
    const problem = await problemOf(backup, file, (entry) => both(check.open(file, entry), writer(folder, entry, made)), report)
    if (problem !== undefined) problems.push(problem)
  }
  problems.push(...(problems.length === 0 ? check.problems() : []))
  if (problems.length > 0) {
    await rm(folder, { recursive: true, force: true })
    throw new StartError(`The backup is damaged, so nothing was restored. ${problems.join(' ')}`)
  }
  const account = await postgresAccount([folder])
  for (let from = 0; from < made.length; from += OWNERS_AT_ONCE)
    await account.takeOwnership(made.slice(from, from + OWNERS_AT_ONCE))
}

function refuseTablespaces({ files }: Manifest): void {
  const others = files.filter(({ name }) => name.endsWith('.tar') && name !== 'base.tar')
  if (others.length === 0) return
  throw new StartError(
    'The backup has tablespaces, which the PostgreSQL of npm start has not: restore it into your own (docs/backup.md).',
  )
}

/** Writes an entry below a folder. */
function writer(folder: string, { name, type }: TarEntry, made: string[]): EntrySink {
  const path = join(folder, name)
  const ignored = { data: () => undefined, end: () => undefined }
  if (type === 'link') throw new StartError(`The backup has the link ${name}, which the PostgreSQL of npm start has not.`)
  makeFolder(type === 'folder' ? path : dirname(path), made)
  if (type === 'folder') return ignored
  const descriptor = openSync(path, 'wx', 0o600)
  made.push(path)
  return {
    data: (bytes) => {
      for (let place = 0; place < bytes.length;) place += writeSync(descriptor, bytes, place)
    },
    end: () => closeSync(descriptor),
  }
}

function makeFolder(path: string, made: string[]): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) made.push(folder)
}

function both(one: EntrySink, other: EntrySink): EntrySink {
  return {
    data: (bytes) => {
      one.data(bytes)
      other.data(bytes)
    },
    end: () => {
      one.end()
      other.end()
    },
  }
}
