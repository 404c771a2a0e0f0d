import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type BackupFile, type Manifest, readManifest, SERVER_MANIFEST } from './manifest.ts'
import type { BackupProgress } from './take-backup.ts'
import { type EntrySink, readTar, type TarEntry, TarError } from './tar.ts'

export interface BackupCheck {
  /** How many files of the database were compared. */
  files: number
  /** What differs, as sentences. */
  problems: string[]
}

/** Reads a whole backup, and compares it with its manifest and with PostgreSQL's own list. @throws StartError for a folder that is no backup. */
export async function checkBackup(folder: string, onProgress: (progress: BackupProgress) => void): Promise<BackupCheck> {
  const manifest = await readManifest(folder)
  const { checksums, problems } = await serverChecksums(folder)
  const check = createCheck(checksums)
  const report = progressOf(manifest, onProgress)
  for (const file of manifest.files) {
    const problem = await problemOf(folder, file, (entry) => check.open(file, entry), report)
    if (problem !== undefined) problems.push(problem)
  }
  if (problems.length === 0) problems.push(...check.problems())
  return { files: checksums.size, problems }
}

/** Counts the bytes that were read. */
export function progressOf({ files }: Manifest, onProgress: (progress: BackupProgress) => void): (bytes: number) => void {
  const total = Math.max(
    1,
    files.reduce((sum, file) => sum + file.bytes, 0),
  )
  let done = 0
  return (bytes) => onProgress({ done: (done += bytes), total })
}

/** Reads a file of a backup, and its entries when it is an archive. @returns what is wrong with it, as a sentence. */
export async function problemOf(
  folder: string,
  file: BackupFile,
  open: (entry: TarEntry) => EntrySink,
  report: (bytes: number) => void,
): Promise<string | undefined> {
  const path = join(folder, file.name)
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return `${path} is missing.`
  if (found.size !== file.bytes) return `${path} has ${found.size} bytes, and ${file.bytes} were written.`
  const hash = createHash('sha256')
  const onBytes = (bytes: Buffer) => {
    hash.update(bytes)
    report(bytes.length)
  }
  try {
    if (file.name.endsWith('.tar')) await readTar(path, open, { onBytes })
    else for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) onBytes(chunk)
  } catch (error) {
    if (error instanceof TarError) return `${path} is damaged: ${error.message}.`
    throw error
  }
  return hash.digest('hex') === file.sha256 ? undefined : `${path} is damaged: its checksum differs.`
}

/** The SHA-256 of each file by its path, from PostgreSQL's list; the files of the log are not in it. */
export async function serverChecksums(folder: string): Promise<{ checksums: Map<string, string>; problems: string[] }> {
  const path = join(folder, SERVER_MANIFEST)
  const text = await readFile(path, 'utf8').catch(() => '')
  const [content = ''] = text.split('"Manifest-Checksum"', 1)
  try {
    const list = JSON.parse(text) as { Files: { Path: string; Checksum: string }[]; 'Manifest-Checksum': string }
    if (createHash('sha256').update(content).digest('hex') === list['Manifest-Checksum'])
      return { checksums: new Map(list.Files.map((file) => [file.Path, file.Checksum])), problems: [] }
  } catch {
    // Cut off.
  }
  return { checksums: new Map(), problems: [`${path} is damaged: it is not the list that PostgreSQL sent.`] }
}

/** Compares the entries of archives with the checksums. */
export function createCheck(checksums: ReadonlyMap<string, string>) {
  const seen = new Set<string>()
  const differing: string[] = []
  const open = ({ name: archive }: BackupFile, { name, type }: TarEntry): EntrySink => {
    const path = archive === 'base.tar' ? name : `pg_tblspc/${archive.replace(/\.tar$/, '')}/${name}`
    const expected = checksums.get(path)
    const hash = createHash('sha256')
    return {
      data: (bytes) => void (expected !== undefined && hash.update(bytes)),
      end: () => {
        if (type !== 'file' || expected === undefined) return
        seen.add(path)
        if (hash.digest('hex') !== expected) differing.push(`The file ${path} of the database is damaged: its checksum differs.`)
      },
    }
  }
  const missing = () =>
    [...checksums.keys()].filter((path) => !seen.has(path)).map((path) => `The file ${path} of the database is missing.`)
  return { open, problems: () => [...differing, ...missing()] }
}
