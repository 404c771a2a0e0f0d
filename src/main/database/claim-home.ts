import { readFile, rm, writeFile } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import { StartError } from '../config/start-error.ts'
import { commandLineOf } from '../embedded/process.ts'
import { commandFileOf } from './home-paths.ts'

/** @throws StartError while another command runs PostgreSQL for itself. */
export async function refuseConcurrentCommand(config: Config): Promise<void> {
  const pid = Number(await readFile(commandFileOf(config), 'utf8').catch(() => ''))
  if (pid > 1 && pid !== process.pid && (await commandLineOf(pid))?.includes('footfall')) {
    throw new StartError(`Another footfall command (process ${pid}) works on ${config.FOOTFALL_HOME}: wait until it is done.`)
  }
  if (pid > 1) await rm(commandFileOf(config), { force: true })
}

/** Keeps other commands from running PostgreSQL here, until the returned function is called. @throws StartError while another one does. */
export async function claimHome(config: Config): Promise<() => Promise<void>> {
  await writeFile(commandFileOf(config), String(process.pid), { flag: 'wx', mode: 0o600 }).catch((cause: unknown) => {
    throw new StartError(`Another footfall command works on ${config.FOOTFALL_HOME}: wait until it is done.`, { cause })
  })
  return () => rm(commandFileOf(config), { force: true })
}
