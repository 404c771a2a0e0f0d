import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { type ArchiveStore, checkedName } from './archive-store.ts'

/** S3 takes parts from 5 MiB on, and 10,000 of them: objects of up to 80 GB, with one part in memory. */
const PART_BYTES = 8 * 1024 * 1024
/** With the doubling pauses of the SDK, throttling of some 20 s is waited for. */
const ATTEMPTS_MAX = 8
const CONNECT_MS_MAX = 5_000
const ANSWER_MS_MAX = 60_000
/** Of an object that the servers take: they compare it with what arrived. */
const CHECKSUM = { ChecksumAlgorithm: 'SHA256' } as const

export interface S3Options {
  bucket: string
  /** Before every name: empty, or it ends with a slash. */
  prefix: string
  /** Undefined for that of the environment. */
  region: string | undefined
  /** Of a server other than AWS, which gets the bucket in the path. */
  endpoint: string | undefined
  /** Objects that a page of a list has; for tests. */
  pageObjects?: number
}

const PAGE_OBJECTS = 1_000

/** An archive in a bucket of S3, or of a server that speaks its protocol and knows `If-None-Match`. Credentials are those of the environment. */
export function createS3Archive({ bucket, prefix, region, endpoint, pageObjects = PAGE_OBJECTS }: S3Options): ArchiveStore {
  const client = new S3Client({
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: { connectionTimeout: CONNECT_MS_MAX, requestTimeout: ANSWER_MS_MAX, throwOnRequestTimeout: true },
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
  })
  const at = (name: string) => ({ Bucket: bucket, Key: prefix + checkedName(name) })
  return {
    place: `s3://${bucket}/${prefix}`,

    put: async (name, chunks) => {
      const parts = partsOf(chunks)
      const first = await parts.next()
      const body = first.done ? Buffer.alloc(0) : first.value
      if (first.done || body.length < PART_BYTES) {
        // Reads the end, which may be an error.
        if (!first.done) await parts.next()
        await client.send(new PutObjectCommand({ ...at(name), ...CHECKSUM, Body: body }))
      } else await putInParts(client, at(name), body, parts)
    },

    create: async (name, bytes) => {
      try {
        await client.send(new PutObjectCommand({ ...at(name), ...CHECKSUM, Body: bytes, IfNoneMatch: '*' }))
        return true
      } catch (error) {
        // 409: another call is writing it.
        if (isStatus(error, 412) || isStatus(error, 409)) return false
        throw error
      }
    },

    read: async (name) => {
      try {
        // What arrives is compared with the checksum that the server kept.
        const { Body: body } = await client.send(new GetObjectCommand({ ...at(name), ChecksumMode: 'ENABLED' }))
        return body as Readable
      } catch (error) {
        if (isStatus(error, 404)) return undefined
        throw error
      }
    },

    list: async function* (begin) {
      for (let token: string | undefined, isOver = false; !isOver;) {
        const page = await client.send(
          new ListObjectsV2Command({
            Bucket: bucket,
            Prefix: prefix + begin,
            MaxKeys: pageObjects,
            ...(token !== undefined && { ContinuationToken: token }),
          }),
        )
        for (const { Key: key, Size: bytes = 0 } of page.Contents ?? []) yield { name: key!.slice(prefix.length), bytes }
        token = page.NextContinuationToken
        isOver = token === undefined
      }
    },

    remove: async (name) => {
      await client.send(new DeleteObjectCommand(at(name)))
    },

    close: () => client.destroy(),
  }
}

/** The object appears when the last call completes it. An upload that was not completed is aborted, or when the process dies left to the bucket's rules. */
async function putInParts(
  client: S3Client,
  at: { Bucket: string; Key: string },
  first: Buffer,
  rest: AsyncGenerator<Buffer, void>,
): Promise<void> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...at, ...CHECKSUM }))
  const upload = { ...at, UploadId: UploadId! }
  try {
    const parts = [await uploadPart(client, upload, 1, first)]
    let bytes = first.length
    for await (const body of rest) {
      parts.push(await uploadPart(client, upload, parts.length + 1, body))
      bytes += body.length
    }
    await complete(client, upload, parts, bytes)
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined)
    throw error
  }
}

interface Upload {
  Bucket: string
  Key: string
  UploadId: string
}

interface UploadedPart {
  PartNumber: number
  ETag: string
  ChecksumSHA256: string
}

async function uploadPart(client: S3Client, upload: Upload, number: number, body: Buffer): Promise<UploadedPart> {
  const answer = await client.send(new UploadPartCommand({ ...upload, ...CHECKSUM, PartNumber: number, Body: body }))
  return { PartNumber: number, ETag: answer.ETag!, ChecksumSHA256: answer.ChecksumSHA256! }
}

/** After a lost answer the repeated call finds no upload, because it is completed: then the object has the bytes of its parts. */
async function complete(client: S3Client, upload: Upload, Parts: UploadedPart[], bytes: number): Promise<void> {
  const { Bucket, Key } = upload
  try {
    await client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }))
  } catch (error) {
    if (!isStatus(error, 404)) throw error
    const { ContentLength: length } = await client.send(new HeadObjectCommand({ Bucket, Key }))
    if (length !== bytes) throw error
  }
}

/** Chunks gathered to parts of PART_BYTES, the last one smaller. */
async function* partsOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  let gathered: Uint8Array[] = []
  let bytes = 0
  for await (let chunk of chunks) {
    while (bytes + chunk.length >= PART_BYTES) {
      const missing = PART_BYTES - bytes
      yield Buffer.concat([...gathered, chunk.subarray(0, missing)])
      chunk = chunk.subarray(missing)
      gathered = []
      bytes = 0
    }
    if (chunk.length > 0) gathered.push(chunk)
    bytes += chunk.length
  }
  if (bytes > 0) yield Buffer.concat(gathered)
}

function isStatus(error: unknown, status: number): boolean {
  return error instanceof S3ServiceException && error.$metadata.httpStatusCode === status
}
