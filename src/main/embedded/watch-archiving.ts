import { type Archiving, archivingState } from '../../store/backup/archiving.ts'
import { connect } from '../../store/database/connection.ts'

const CHECK_MS = 30_000

/** Says once when the write-ahead log cannot be archived, and once when it can again. @returns a function that ends it. */
export function watchArchiving(archive: string, urlOf: () => Promise<string>, print: (line: string) => void): () => void {
  const check = createArchivingCheck(archive, print, async () => {
    const db = connect({ url: await urlOf(), name: 'footfall start', connectionsMax: 1 })
    try {
      return await archivingState(db)
    } finally {
      await db.destroy()
    }
  })
  // A PostgreSQL that does not answer is another problem.
  const timer = setInterval(() => void check().catch(() => undefined), CHECK_MS)
  return () => clearInterval(timer)
}

/** One check. */
export function createArchivingCheck(
  archive: string,
  print: (line: string) => void,
  read: () => Promise<Archiving>,
): () => Promise<void> {
  let wasFailing = false
  return async () => {
    const { isFailing, file } = await read()
    if (isFailing && !wasFailing)
      print(
        `PostgreSQL cannot archive ${file} into ${archive} (postgres.log says why). It keeps its log until it can, which fills its disk.`,
      )
    if (!isFailing && wasFailing) print(`PostgreSQL archives into ${archive} again.`)
    wasFailing = isFailing
  }
}
