import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type ArchiveStore, checkedName, type StoredObject } from './archive-store.ts'

/** Files that are being written. No object has such a name. */
const UNFINISHED = '.unfinished-'
/** An archive is about persons, so others of the machine may not read it. */
const FOLDER_MODE = 0o700
const FILE_MODE = 0o600

/** An archive in a folder. Its file system must have hard links, and keep what was synchronised when its machine loses power. */
export function createFolderArchive(folder: string): ArchiveStore {
  const pathOf = (name: string) => join(folder, checkedName(name))
  return {
    place: folder,

    put: async (name, chunks) => {
      const path = pathOf(name)
      const unfinished = await writeFile(path, async (file) => {
        for await (const chunk of chunks) await file.writeFile(chunk)
      })
      await rename(unfinished, path)
      await syncFolder(dirname(path))
    },

    create: async (name, bytes) => {
      const path = pathOf(name)
      const unfinished = await writeFile(path, (file) => file.writeFile(bytes))
      try {
        await link(unfinished, path)
        return true
      } catch (error) {
        if (!isCode(error, 'EEXIST')) throw error
        return false
      } finally {
        await rm(unfinished, { force: true })
        // Also a file that another process has linked and not synchronised yet.
        await syncFolder(dirname(path))
      }
    },

    read: async (name) => {
      const file = await open(pathOf(name)).catch(ifMissing)
      return file && createReadStream('', { fd: file })
    },

    list: async function* (prefix) {
      yield* filesIn(folder, prefix)
    },

    remove: async (name) => {
      await rm(pathOf(name), { force: true })
    },

    close: () => undefined,
  }
}

/** Writes and synchronises a file next to `path`, under another name. @returns that name. */
async function writeFile(path: string, write: (file: FileHandle) => Promise<void>): Promise<string> {
  await makeFolder(dirname(path))
  const unfinished = join(dirname(path), UNFINISHED + randomUUID())
  const file = await open(unfinished, 'wx', FILE_MODE)
  try {
    await write(file)
    await file.sync()
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  } finally {
    await file.close()
  }
  return unfinished
}

/** Makes a folder and synchronises the names of it and of the new ones above it. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
  if (first === undefined) return
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** In the order of the whole names, in which `a-b` comes before `a/b`. */
async function* filesIn(folder: string, prefix: string, parent = ''): AsyncGenerator<StoredObject> {
  const entries = (await readdir(join(folder, parent), { withFileTypes: true }).catch(ifMissing)) ?? []
  const names = entries
    .filter((entry) => (entry.isDirectory() || entry.isFile()) && !entry.name.startsWith('.'))
    .map((entry) => parent + entry.name + (entry.isDirectory() ? '/' : ''))
  for (const name of names.sort()) {
    if (!name.startsWith(prefix) && !(name.endsWith('/') && prefix.startsWith(name))) continue
    if (name.endsWith('/')) yield* filesIn(folder, prefix, name)
    else {
      const found = await stat(join(folder, name)).catch(ifMissing)
      if (found !== undefined) yield { name, bytes: found.size }
    }
  }
}

function ifMissing(error: unknown): undefined {
  if (!isCode(error, 'ENOENT')) throw error
}

function isCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code
}
