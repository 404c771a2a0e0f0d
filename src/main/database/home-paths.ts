import { join } from 'node:path'
import type { Config } from '../config/config.ts'

/** The files and folders in FOOTFALL_HOME. */

export const passwordFileOf = (config: Config) => join(config.FOOTFALL_HOME, 'postgres-password')
export const paymentSecretFileOf = (config: Config) => join(config.FOOTFALL_HOME, 'payment-secret')
export const erasureKeyFileOf = (config: Config) => join(config.FOOTFALL_HOME, 'erasure-key')
export const postgresFolderOf = (config: Config) => join(config.FOOTFALL_HOME, 'postgres')
/** The folder of PostgreSQL while a backup is restored into it. */
export const restoringFolderOf = (config: Config) => join(config.FOOTFALL_HOME, 'postgres.restoring')
export const restateFolderOf = (config: Config) => join(config.FOOTFALL_HOME, 'restate')
export const logFolderOf = (config: Config) => join(config.FOOTFALL_HOME, 'log')
/** Lost calls on their way back into PostgreSQL. */
export const reconcileFolderOf = (config: Config) => join(config.FOOTFALL_HOME, 'reconcile')
/** The process ids of what `npm start` runs. */
export const processesFileOf = (config: Config) => join(config.FOOTFALL_HOME, 'processes.json')
/** The process id of a command that runs PostgreSQL for itself. */
export const commandFileOf = (config: Config) => join(config.FOOTFALL_HOME, 'command.pid')
