import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const FILE = join(import.meta.dirname, '..', '..', '..', 'node_modules', '.bin', 'restatectl')
const MS_MAX = 30_000
const OUTPUT_BYTES_MAX = 64 * 1024 ** 2

/** Runs a command of restatectl with the addresses of these nodes. @returns its output. @throws with it when it fails. */
export async function restatectl(nodes: readonly { nodeUrl: string }[], args: readonly string[]): Promise<string> {
  const address = nodes.map(({ nodeUrl }) => nodeUrl).join(',')
  const options = { timeout: MS_MAX, maxBuffer: OUTPUT_BYTES_MAX }
  const { stdout, stderr } = await promisify(execFile)(FILE, ['--address', address, ...args], options)
  return stdout + stderr
}
