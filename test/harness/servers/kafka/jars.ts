import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const CHECKOUT = join(import.meta.dirname, '..', '..', '..', '..')
/** Where the jars are; KAFKA_JARS names another folder. */
export const JARS = process.env['KAFKA_JARS'] ?? join(CHECKOUT, 'node_modules', '.cache', 'kafka-jars')
const FETCH_MS_MAX = 240_000

/** Why there is no Kafka here; undefined when its jars are there, or were fetched from Maven Central now. */
export function kafkaProblem(): string | undefined {
  if (spawnSync('java', ['-version']).status !== 0) return 'java is not installed (apt-get install openjdk-17-jre-headless)'
  if (existsSync(JARS) && readdirSync(JARS).length > 0) return undefined
  if (spawnSync('mvn', ['-v']).status !== 0) return 'mvn is not installed (apt-get install maven)'
  const partial = `${JARS}.${process.pid}`
  mkdirSync(partial, { recursive: true })
  const pom = join(import.meta.dirname, 'pom.xml')
  const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${partial}`]
  const { status } = spawnSync('mvn', args, { timeout: FETCH_MS_MAX, stdio: 'ignore' })
  if (status === 0 && !existsSync(JARS)) renameSync(partial, JARS)
  rmSync(partial, { recursive: true, force: true })
  return existsSync(JARS) ? undefined : 'the jars of Kafka cannot be fetched from Maven Central'
}
