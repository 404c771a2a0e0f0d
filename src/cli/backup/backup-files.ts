import { createHash, type Hash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { StartError } from '../../main/config/start-error.ts'
import { commandLineOf } from '../../main/embedded/process.ts'
import type { BackupFile } from './manifest.ts'

/** The folder of a backup that is being taken. It gets its name at the end, so that a killed run leaves nothing that looks like a backup. */
export interface BackupFolder {
  /** Ends the file before. */
  begin: (name: string) => void
  write: (bytes: Uint8Array) => void
  end: () => void
  /** The ended files, in their order. */
  files: () => readonly BackupFile[]
  /** Gives the folder its name; `manifest` is its last file. */
  finish: (name: string, manifest: string) => void
  /** Removes the folder. */
  remove: () => void
}

interface OpenFile {
  name: string
  descriptor: number
  hash: Hash
  bytes: number
}

/** Only for the owner, because a backup has all data of persons. */
const FOLDER_MODE = 0o700
const FILE_MODE = 0o600
const OWNER = 'pid'

/** @throws StartError for a folder that has files, or into which another backup is being taken. */
export async function makeBackupFolder(target: string): Promise<BackupFolder> {
  if (existsSync(target) && readdirSync(target).length > 0)
    throw new StartError(`${target} is not empty: a backup needs a new folder.`)
  const folder = `${target}.partial`
  await clearPartial(folder)
  make(folder)
  writeWhole(join(folder, OWNER), String(process.pid))
  return createFolder(target, folder)
}

function createFolder(target: string, folder: string): BackupFolder {
  const files: BackupFile[] = []
  let open: OpenFile | undefined
  const end = () => {
    if (open === undefined) return
    fsyncSync(open.descriptor)
    closeSync(open.descriptor)
    files.push({ name: open.name, bytes: open.bytes, sha256: open.hash.digest('hex') })
    open = undefined
  }
  return {
    begin: (name) => {
      end()
      open = { name, descriptor: openSync(join(folder, name), 'wx', FILE_MODE), hash: createHash('sha256'), bytes: 0 }
    },
    write: (bytes) => {
      writeAll(open!.descriptor, bytes)
      open!.hash.update(bytes)
      open!.bytes += bytes.byteLength
    },
    end,
    files: () => files,
    finish: (name, manifest) => {
      rmSync(join(folder, OWNER))
      writeWhole(join(folder, name), manifest)
      syncFolder(folder)
      renameSync(folder, target)
      syncFolder(dirname(target))
    },
    remove: () => {
      if (open !== undefined) closeSync(open.descriptor)
      open = undefined
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Removes what a killed backup left. @throws StartError while that backup runs. */
async function clearPartial(folder: string): Promise<void> {
  if (!existsSync(folder)) return
  const pid = Number(readOwner(folder))
  if (pid > 1 && pid !== process.pid && (await commandLineOf(pid))?.includes('footfall'))
    throw new StartError(`Another backup (process ${pid}) is being taken into ${folder}: wait until it is done.`)
  rmSync(folder, { recursive: true, force: true })
}

function readOwner(folder: string): string {
  try {
    return readFileSync(join(folder, OWNER), 'utf8')
  } catch {
    return ''
  }
}

function make(folder: string): void {
  try {
    mkdirSync(folder, { mode: FOLDER_MODE })
  } catch (cause) {
    throw new StartError(`${folder} cannot be made: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause })
  }
}

/** Writes a file that is on the disk when this returns. */
function writeWhole(path: string, text: string): void {
  const descriptor = openSync(path, 'w', FILE_MODE)
  try {
    writeAll(descriptor, Buffer.from(text))
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Writes a file that takes the place of an older one when it is on the disk. @throws StartError when it cannot be written. */
export function replaceWhole(path: string, text: string): void {
  try {
    writeWhole(`${path}.new`, text)
    renameSync(`${path}.new`, path)
    syncFolder(dirname(path))
  } catch (cause) {
    throw new StartError(`${path} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause })
  }
}

/** Whether a file could not be written because its disk or its quota is full. */
export function isFullDisk(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
}

/** A full disk may take a part of the bytes. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let place = 0; place < bytes.byteLength;) place += writeSync(descriptor, bytes, place)
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
