import { existsSync } from 'node:fs'
import { access, constants, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isPublic } from './config/addresses.ts'
import type { Config } from './config/config.ts'
import { StartError } from './config/start-error.ts'
import { logFolderOf, postgresFolderOf, restoringFolderOf } from './database/home-paths.ts'
import { isPortFree } from './embedded/ports.ts'

/** Creates FOOTFALL_HOME with its folder for logs. @throws StartError when that is not possible. */
export async function makeHome(config: Config): Promise<void> {
  try {
    await makeFolder(dirname(logFolderOf(config)))
    await mkdir(logFolderOf(config), { recursive: true, mode: 0o700 })
    await access(config.FOOTFALL_HOME, constants.W_OK)
  } catch (cause) {
    throw new StartError(`${config.FOOTFALL_HOME} cannot be written: set FOOTFALL_HOME to a folder that can.`, { cause })
  }
}

/** Without mkdir's `recursive`, which never returns on a file system that creates no folders, e.g. /proc. */
async function makeFolder(path: string): Promise<void> {
  if (existsSync(path)) return
  await makeFolder(dirname(path))
  await mkdir(path)
}

/** @throws StartError for a gateway that other machines can reach before a key was made. */
export function refusePublicWithoutKey(config: Config, areKeysUsed: boolean): void {
  if (!isPublic(config) || areKeysUsed) return
  throw new StartError(
    `Others can reach GATEWAY_HOST (${config.GATEWAY_HOST}), and there is no key yet: make one with ./footfall key create, or unset GATEWAY_HOST.`,
  )
}

/** Without this a new, empty database would take the place of the one that is being restored. @throws StartError */
export function refuseUnfinishedRestore(config: Config): void {
  if (existsSync(postgresFolderOf(config)) || !existsSync(restoringFolderOf(config))) return
  throw new StartError(
    `A restore into ${config.FOOTFALL_HOME} was not finished: run ./footfall restore again, or remove ${restoringFolderOf(config)} to start with an empty database.`,
  )
}

type PortName = keyof Config & `${string}_PORT`

/** Checks the ports of the processes that start here. @throws StartError with the ports in use, or with a port that is set twice. */
export async function checkPorts(config: Config): Promise<void> {
  const names: PortName[] = ['GATEWAY_PORT', 'ENDPOINT_PORT', 'ENDPOINT_METRICS_PORT']
  if (config.KAFKA_BROKERS !== undefined) names.push('CONSUMER_METRICS_PORT')
  if (config.DATABASE_URL === undefined) names.push('POSTGRES_PORT')
  if (config.RESTATE_INGRESS_URL === undefined) names.push('RESTATE_INGRESS_PORT', 'RESTATE_ADMIN_PORT', 'RESTATE_NODE_PORT')
  const duplicate = names.find((name, index) => names.slice(0, index).some((other) => config[other] === config[name]))
  if (duplicate !== undefined) {
    throw new StartError(`${duplicate} is ${config[duplicate]}, which another variable has too: set it to a port of its own.`)
  }
  const busy: string[] = []
  for (const name of names) {
    if (!(await isPortFree(config[name]))) busy.push(`${config[name]} (${name})`)
  }
  if (busy.length === 0) return
  throw new StartError(`In use already: port ${busy.join(', port ')}; set the variable in brackets to a free port.`)
}
