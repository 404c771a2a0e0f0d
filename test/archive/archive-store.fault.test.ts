import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ArchiveStore, readSmall } from '../../src/external/archive-store.ts'
import { createFolderArchive } from '../../src/external/folder-archive.ts'
import { createS3Archive } from '../../src/external/s3-archive.ts'
import { noObjectServer, type ObjectServer, startObjectServer } from '../harness/servers/object-server.ts'
import { noVersityServer, startVersityServer } from '../harness/servers/versity-server.ts'
import { noTrouble, startUnreliableProxy, type Trouble, type UnreliableProxy } from '../harness/servers/unreliable-proxy.ts'

const MEBIBYTE = 1024 * 1024
const BUCKET = 'footfall-test'

/** Servers that speak the protocol of S3. Each is used through a proxy. */
interface S3Server {
  kind: string
  /** Why it cannot be had here. */
  missing: string | undefined
  start: () => Promise<ObjectServer>
  running?: { server: ObjectServer; proxy: UnreliableProxy }
}
const SERVERS: S3Server[] = [
  { kind: 'S3 by moto', missing: await noObjectServer(), start: startObjectServer },
  { kind: 'S3 by versitygw', missing: noVersityServer(), start: startVersityServer },
]
const HAD = SERVERS.filter(({ missing }) => missing === undefined)
for (const { kind, missing } of SERVERS) if (missing !== undefined) console.log(`tests of ${kind} are skipped: ${missing}`)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footfall-archive-'))
  // As the environment of a process has them.
  process.env['AWS_ACCESS_KEY_ID'] = 'test'
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test'
  for (const each of HAD) {
    const server = await each.start()
    each.running = { server, proxy: await startUnreliableProxy(server.url) }
    const client = new S3Client({ region: 'us-east-1', endpoint: server.url, forcePathStyle: true })
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
    client.destroy()
  }
}, 300_000)
afterAll(async () => {
  delete process.env['AWS_ACCESS_KEY_ID']
  delete process.env['AWS_SECRET_ACCESS_KEY']
  await rm(folder, { recursive: true, force: true })
  for (const { running } of HAD) {
    await running?.proxy.stop()
    await running?.server.stop()
  }
})

const PAGE_OBJECTS = 3
const openS3 = ({ running }: S3Server) =>
  createS3Archive({
    ...{ bucket: BUCKET, prefix: `${randomUUID()}/`, region: 'us-east-1', endpoint: running!.proxy.url },
    pageObjects: PAGE_OBJECTS,
  })

const KINDS: [string, () => ArchiveStore][] = [
  ['a folder', () => createFolderArchive(join(folder, randomUUID()))],
  ...HAD.map((server): [string, () => ArchiveStore] => [server.kind, () => openS3(server)]),
]

async function* chunksOf(bytes: Uint8Array, size = bytes.length || 1): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function namesIn(store: ArchiveStore, prefix = ''): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of store.list(prefix)) names.push(name)
  return names
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const read = (store: ArchiveStore, name: string) => readSmall(store, name, 64 * MEBIBYTE)

describe.each(KINDS)('an archive in %s', (kind, open) => {
  test.each([0, 300_054, 8 * MEBIBYTE - 1, 8 * MEBIBYTE, 17 * MEBIBYTE])('gives %i bytes back', async (size) => {
    const store = open()
    const bytes = randomBytes(size)
    await store.put('log/a/part.gz', chunksOf(bytes, 70_001))
    const back = (await read(store, 'log/a/part.gz'))!
    expect([back.length, hashOf(back)]).toEqual([size, hashOf(bytes)])
    for await (const object of store.list('')) expect(object).toEqual({ name: 'log/a/part.gz', bytes: size })
    store.close()
  })

  test('replaces an object by put, and never by create', async () => {
    const store = open()
    await store.put('a', chunksOf(Buffer.from('one')))
    await store.put('a', chunksOf(Buffer.from('two')))
    expect(String(await read(store, 'a'))).toBe('two')
    expect(await store.create('a', Buffer.from('three'))).toBe(false)
    expect(String(await read(store, 'a'))).toBe('two')
    expect(await store.create('b/c', Buffer.from('four'))).toBe(true)
    expect(String(await read(store, 'b/c'))).toBe('four')
    store.close()
  })

  // moto looks, and then writes: two of its threads may both create.
  test.skipIf(kind === 'S3 by moto')('of eight concurrent creations one wins, and the object is its own', async () => {
    const store = open()
    const won = await Promise.all(Array.from({ length: 8 }, (_, n) => store.create('manifest.json', Buffer.from(String(n)))))
    expect(won.filter(Boolean)).toHaveLength(1)
    expect(String(await read(store, 'manifest.json'))).toBe(String(won.indexOf(true)))
    store.close()
  })

  test('keeps nothing of an object whose chunks fail, small or large', async () => {
    const store = open()
    for (const bytes of [10, 9 * MEBIBYTE]) {
      const failing = async function* () {
        yield randomBytes(bytes)
        throw new Error('the rows cannot be read')
      }
      await expect(store.put('log/part', failing())).rejects.toThrow('the rows cannot be read')
      expect(await read(store, 'log/part')).toBeUndefined()
      expect(await namesIn(store)).toEqual([])
    }
    store.close()
  })

  test('lists names in their order, of a prefix, over several pages', async () => {
    const store = open()
    const names = ['a', 'b-c', 'b/a', 'b/b/c', 'b0', 'c']
    for (const name of names.toReversed()) await store.put(name, chunksOf(Buffer.from(name)))
    expect(await namesIn(store)).toEqual(names)
    expect(await namesIn(store, 'b/')).toEqual(['b/a', 'b/b/c'])
    expect(await namesIn(store, 'b')).toEqual(['b-c', 'b/a', 'b/b/c', 'b0'])
    expect(await namesIn(store, 'nothing/')).toEqual([])
    store.close()
  })

  test('removes an object, and one that is not there', async () => {
    const store = open()
    await store.put('a', chunksOf(Buffer.from('one')))
    await store.remove('a')
    await store.remove('a')
    expect(await read(store, 'a')).toBeUndefined()
    store.close()
  })

  test('takes no object of a name that could leave it', async () => {
    const store = open()
    for (const name of ['../a', 'a/../../b', '/a', 'a//b', '', '.hidden', 'a b']) {
      await expect(store.put(name, chunksOf(Buffer.from('x')))).rejects.toThrow('is no name of an object')
      await expect(store.create(name, Buffer.from('x'))).rejects.toThrow('is no name of an object')
    }
    expect(await namesIn(store)).toEqual([])
    store.close()
  })
})

describe.each(HAD)('$kind over a network that fails', (s3) => {
  /** Makes the trouble for the first requests of a kind. */
  function troubleFor(trouble: Trouble, times: number, isConcerned: (method: string, path: string) => boolean): void {
    const { proxy } = s3.running!
    proxy.made = noTrouble()
    proxy.trouble = (method, path) => (isConcerned(method, path) && proxy.made[trouble] < times ? trouble : undefined)
  }

  test.each(['throttle', 'cut before', 'cut within', 'cut after'] as const)(
    '%s: an object in parts is whole, and a list too',
    async (trouble) => {
      const store = openS3(s3)
      const bytes = randomBytes(17 * MEBIBYTE)
      // Not the completion: it is the next test.
      troubleFor(trouble, 3, (method, path) => method === 'PUT' || (method === 'POST' && path.includes('uploads')))
      await store.put('large', chunksOf(bytes, 100_000))
      expect(s3.running!.proxy.made[trouble]).toBe(3)
      // A read has no body to be cut in.
      const ofReads = trouble === 'cut within' ? 'cut after' : trouble
      troubleFor(ofReads, 2, (method) => method === 'GET')
      expect(hashOf((await read(store, 'large'))!)).toBe(hashOf(bytes))
      expect(s3.running!.proxy.made[ofReads]).toBe(2)
      troubleFor(ofReads, 1, (method) => method === 'GET')
      expect(await namesIn(store)).toEqual(['large'])
      store.close()
    },
  )

  test('an upload whose last answer is lost is there', async () => {
    const store = openS3(s3)
    const bytes = randomBytes(9 * MEBIBYTE)
    troubleFor('cut after', 1, (method, path) => method === 'POST' && path.includes('uploadId'))
    await store.put('large', chunksOf(bytes))
    expect(s3.running!.proxy.made['cut after']).toBe(1)
    expect(hashOf((await read(store, 'large'))!)).toBe(hashOf(bytes))
    store.close()
  })

  test('a creation whose answer is lost is there once, whatever it answers', async () => {
    const store = openS3(s3)
    troubleFor('cut after', 1, (method) => method === 'PUT')
    expect(await store.create('manifest.json', Buffer.from('mine'))).toBe(false)
    expect(String(await read(store, 'manifest.json'))).toBe('mine')
    troubleFor('cut before', 1, (method) => method === 'PUT')
    expect(await store.create('other.json', Buffer.from('mine'))).toBe(true)
    troubleFor('throttle', 2, (method) => method === 'PUT')
    expect(await store.create('third.json', Buffer.from('mine'))).toBe(true)
    store.close()
  })
})

test('a folder has no unfinished file after a failure, and others may not read it', async () => {
  const place = join(folder, randomUUID())
  const store = createFolderArchive(place)
  const failing = async function* () {
    yield Buffer.from('x')
    throw new Error('fails')
  }
  await expect(store.put('a/b', failing())).rejects.toThrow('fails')
  expect(await readdir(join(place, 'a'))).toEqual([])
})

test('a server that is away is an error', async () => {
  const store = createS3Archive({ bucket: BUCKET, prefix: '', region: 'us-east-1', endpoint: 'http://127.0.0.1:1' })
  await expect(store.create('a', Buffer.from('x'))).rejects.toThrow('ECONNREFUSED')
  store.close()
})
