import { ArchiveError, type ArchiveStore } from './archive-store.ts'

/** Of the file system and the network by code, and of S3 by name. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTDIR: 'it is no folder',
  EACCES: 'the permission to read it is missing',
  EPERM: 'the permission to read it is missing',
  ECONNREFUSED: 'its server refuses connections',
  ECONNRESET: 'its server ended the connection',
  ENOTFOUND: 'the name of its server is not known',
  EAI_AGAIN: 'the name of its server cannot be looked up',
  TimeoutError: 'its server does not answer in time',
  NoSuchBucket: 'there is no such bucket',
  AccessDenied: 'its server denies access with these credentials',
  InvalidAccessKeyId: 'its server does not know the access key',
  SignatureDoesNotMatch: 'its server refuses the secret access key',
  CredentialsProviderError: 'no credentials were found: set e.g. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
}

/** The archive for reading: what keeps it from being read is one sentence, which names the setting. @returns a store that throws ArchiveErrors */
export function readableArchive(store: ArchiveStore): ArchiveStore {
  const explained = (cause: unknown) => {
    if (cause instanceof ArchiveError) return cause
    return new ArchiveError(`ARCHIVE (${store.place}) cannot be used: ${reasonOf(cause)}`, { cause })
  }
  async function* passing<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
    const parts = source[Symbol.asyncIterator]()
    try {
      for (;;) {
        const part = await parts.next().catch((cause: unknown) => Promise.reject(explained(cause)))
        if (part.done) return
        yield part.value
      }
    } finally {
      await parts.return?.()
    }
  }
  return {
    ...store,
    list: (prefix) => passing(store.list(prefix)),
    read: async (name) => {
      const chunks = await store.read(name).catch((cause: unknown) => Promise.reject(explained(cause)))
      return chunks && passing(chunks)
    },
  }
}

/** The reason in words. Errors of the SDK can be without a message, and those of several addresses too. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code = '', path } = error as NodeJS.ErrnoException
  const first = error instanceof AggregateError ? (error.errors as unknown[])[0] : undefined
  const reason = REASONS[code] ?? REASONS[error.name]
  if (reason !== undefined) return path === undefined ? reason : `${reason} (${path})`
  if (first !== undefined) return reasonOf(first)
  if (error.message === 'Region is missing') return 'add ?region= to it, or set AWS_REGION'
  const [line = ''] = error.message.split('\n')
  return [error.name, line]
    .filter((text) => text !== '' && text !== 'Error')
    .join(': ')
    .replace(/\.$/, '')
}
