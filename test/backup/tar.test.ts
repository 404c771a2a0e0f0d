import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readTar, TarError } from '../../src/cli/backup/tar.ts'

const SIZES = [0, 1, 511, 512, 513, 1024 * 1024 - 512, 1024 * 1024, 3_000_017]
const folder = mkdtempSync(join(tmpdir(), 'footfall-tar-'))
const archive = join(folder, 'all.tar')
const contents = new Map(SIZES.map((size) => [`data/of-${size}`, randomBytes(size)]))
beforeAll(async () => {
  await mkdir(join(folder, 'data', 'empty'), { recursive: true })
  for (const [name, bytes] of contents) writeFileSync(join(folder, name), bytes)
  execFileSync('tar', ['--format=ustar', '-cf', archive, '-C', folder, './data/empty', ...contents.keys()])
})
afterAll(() => rmSync(folder, { recursive: true }))

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

async function read(path: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  await readTar(path, ({ name, type }) => {
    const hash = createHash('sha256')
    return {
      data: (bytes) => void hash.update(bytes),
      end: () => void (found[name] = type === 'file' ? hash.digest('hex') : type),
    }
  })
  return found
}

test('files of every size around a block and a read are read as they are, and folders are named', async () => {
  const expected = Object.fromEntries([...contents].map(([name, bytes]) => [name, hashOf(bytes)]))
  expect(await read(archive)).toEqual({ 'data/empty': 'folder', ...expected })
})

test('an archive that is cut off at any place is refused, and so is one with another header', async () => {
  const whole = readFileSync(archive)
  const broken = join(folder, 'broken.tar')
  for (const length of [0, 100, 512, 700_000, whole.length / 2 + 1]) {
    writeFileSync(broken, whole.subarray(0, Math.floor(length)))
    await expect(read(broken)).rejects.toThrow(TarError)
  }
  const changed = Buffer.from(whole)
  changed[3]! ^= 1
  writeFileSync(broken, changed)
  await expect(read(broken)).rejects.toThrow('a header of the archive is damaged')
})
