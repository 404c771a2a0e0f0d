import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { prepareTemplate } from '../../harness/servers/database.ts'
import { type Standby, startPrimary, startStandby, type TestServer } from '../../harness/servers/standby.ts'
import { BENCH_SETTINGS, type BenchPostgres } from './bench-postgres.ts'

/** A primary and its standby on one disk, with the settings of the other rows. */
export interface BenchReplica extends BenchPostgres {
  primary: TestServer
  standby: Standby
}

/** The name of the standby in `synchronous_standby_names`. */
export const STANDBY_NAME = 's1'

const SETTINGS = { ...BENCH_SETTINGS, fsync: 'on' }
/** A disk, because the price of a commit is that of waiting for it. */
const onDisk = (name: string) => mkdtempSync(join(tmpdir(), `footfall-bench-${name}-`))

export async function startBenchReplica(): Promise<BenchReplica> {
  const primary = await startPrimary(SETTINGS, onDisk)
  try {
    await prepareTemplate(primary.url)
    const standby = await startStandby(primary, { synchronousName: STANDBY_NAME, settings: SETTINGS, makeFolder: onDisk })
    const stop = async () => {
      await standby.remove()
      await primary.remove()
    }
    return { primary, standby, stop, url: primary.url, pid: primary.pid(), logFile: join(primary.folder, '..', 'postgres.log') }
  } catch (error) {
    await primary.remove()
    throw error
  }
}
