import pg from 'pg'
import { primaryOf } from '../database/primary.ts'

/** A place of the write-ahead log. */
export interface LogPlace {
  /** e.g. 0/3000028 */
  lsn: string
  timeline: number
}

/** Takes what PostgreSQL sends. Each call is done when it returns, so that no more is read than was written. */
export interface BackupSink {
  /** A tar archive follows: base.tar, and one for each tablespace. */
  archive: (name: string) => void
  /** PostgreSQL's list of all files with their checksums follows. */
  manifest: () => void
  data: (bytes: Buffer) => void
  /** So much of the archives was sent, out of about `total` bytes. */
  progress: (done: number, total: number) => void
}

export interface BaseBackup {
  systemIdentifier: string
  serverVersion: string
  start: LogPlace
  stop: LogPlace
}

type Row = readonly (string | null)[]

const CONNECT_MS_MAX = 10_000
/** Kinds of the messages that BASE_BACKUP sends, by their first byte. */
const KIND = { archive: 0x6e, manifest: 0x6d, data: 0x64, progress: 0x70 } as const

/**
 * Copies a running PostgreSQL through the replication protocol, with the part of its write-ahead log that makes the copy consistent. Needs a
 * user with REPLICATION, and no program of PostgreSQL. The server works on meanwhile. A temporary slot keeps the log that it needs, and
 * goes with the connection.
 */
export async function takeBaseBackup(url: string, label: string, sink: BackupSink): Promise<BaseBackup> {
  // A connection for replication that names a database is let in by the same lines of pg_hba.conf as any other one.
  const client = new pg.Client({
    connectionString: await primaryOf(url),
    replication: 'database',
    application_name: 'footfall backup',
    connectionTimeoutMillis: CONNECT_MS_MAX,
    keepAlive: true,
    options: '-c statement_timeout=0',
  } as pg.ClientConfig)
  // Errors of the connection fail the statement too.
  client.on('error', () => undefined)
  try {
    await client.connect()
    const [identity] = await ask(client, 'IDENTIFY_SYSTEM')
    const [version] = await ask(client, 'SHOW server_version')
    await ask(client, `CREATE_REPLICATION_SLOT footfall_backup_${process.pid} TEMPORARY PHYSICAL (RESERVE_WAL true)`)
    const places = await copy(client, label, sink)
    return { systemIdentifier: identity![0]!, serverVersion: version![0]!.split(' ')[0]!, ...places }
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Statements of the replication protocol have no prepared form, and their answers are text. */
async function ask(client: pg.Client, text: string): Promise<Row[]> {
  const { rows } = await client.query<string[]>({ text, rowMode: 'array' })
  return rows
}

async function copy(client: pg.Client, label: string, sink: BackupSink): Promise<Pick<BaseBackup, 'start' | 'stop'>> {
  const options = [
    `LABEL '${label.replaceAll("'", "''")}'`,
    'PROGRESS true',
    "CHECKPOINT 'fast'",
    'WAL true',
    "MANIFEST 'yes'",
    "MANIFEST_CHECKSUMS 'SHA256'",
  ]
  const answers = await new Promise<Row[][]>((resolve, reject) => {
    client.query(copyStatement(`BASE_BACKUP (${options.join(', ')})`, sink, { resolve, reject }))
  })
  const [start, , stop] = answers
  return { start: placeOf(start), stop: placeOf(stop) }
}

function placeOf(answer: Row[] | undefined): LogPlace {
  const [lsn, timeline] = answer?.[0] ?? []
  if (lsn == null || timeline == null) throw new Error('PostgreSQL ended the copy without its place in the log')
  return { lsn, timeline: Number(timeline) }
}

interface Outcome {
  resolve: (answers: Row[][]) => void
  reject: (error: unknown) => void
}

/**
 * The statement as node-postgres submits it. It calls these methods as messages arrive, and reads no further while one of them runs.
 */
function copyStatement(text: string, sink: BackupSink, { resolve, reject }: Outcome): pg.Submittable {
  const answers: Row[][] = []
  let total = 0
  let failure: unknown
  const statement = {
    text,
    submit: (connection: pg.Connection) => {
      connection.query(text)
    },
    handleRowDescription: () => void answers.push([]),
    handleDataRow: ({ fields }: { fields: Row }) => void answers.at(-1)!.push(fields),
    handleCommandComplete: () => undefined,
    handleCopyData: ({ chunk }: { chunk: Buffer }, connection: { stream: { destroy: (error: Error) => void } }) => {
      if (total === 0) total = sizeOf(answers[1] ?? [])
      try {
        pass(chunk, sink, total)
      } catch (error) {
        // The server goes on to send until the connection ends.
        failure = error
        connection.stream.destroy(error as Error)
        reject(error)
      }
    },
    handleReadyForQuery: () => {
      if (failure === undefined) resolve(answers)
    },
    handleError: (error: unknown) => {
      failure ??= error
      reject(failure)
    },
    handleCopyInResponse: () => undefined,
    handlePortalSuspended: () => undefined,
    handleEmptyQuery: () => undefined,
  }
  return statement
}

/** The estimated bytes of all tablespaces. */
function sizeOf(tablespaces: readonly Row[]): number {
  return Math.max(1, 1024 * tablespaces.reduce((sum, [, , kibibytes]) => sum + Number(kibibytes ?? 0), 0))
}

function pass(chunk: Buffer, sink: BackupSink, total: number): void {
  const rest = chunk.subarray(1)
  const kind = chunk[0]!
  switch (kind) {
    case KIND.data:
      return sink.data(rest)
    case KIND.archive:
      return sink.archive(archiveName(rest.toString('utf8', 0, rest.indexOf(0))))
    case KIND.manifest:
      return sink.manifest()
    case KIND.progress:
      return sink.progress(Number(rest.readBigInt64BE()), total)
    default:
      throw new Error(`PostgreSQL sent a message of kind ${kind} in a backup`)
  }
}

/** Of a file in the folder of the backup, whatever the server says. */
function archiveName(text: string): string {
  if (!/^\w[\w.-]*$/.test(text)) throw new Error(`PostgreSQL sent an archive of the name ${text}`)
  return text
}
