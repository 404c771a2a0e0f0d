import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CHECKOUT } from '../../../src/main/config/checkout.ts'

const run = promisify(execFile)

const PACKAGE = 'implicit==0.7.3'
const FOLDER = join(CHECKOUT, 'node_modules', '.cache', 'footfall', 'implicit')
const PYTHON = join(FOLDER, 'bin', 'python')
const SCRIPT = join(import.meta.dirname, 'cosine.py')

export interface ImplicitRun {
  seconds: number
  cpuSeconds: number
  megabytes: number
}

/** Installs implicit from PyPI into a folder of its own, once. Returns why that cannot be; undefined when it is there. */
export async function installImplicit(): Promise<string | undefined> {
  try {
    if (!existsSync(PYTHON)) await run('python3', ['-m', 'venv', FOLDER])
    await run(PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', PACKAGE])
    return undefined
  } catch (error) {
    return `${PACKAGE} cannot be installed: ${(error as Error).message.split('\n')[0]}`
  }
}

/** @param file  histories that similarity-process.ts wrote */
export async function runImplicit(file: string, products: number, threads: number): Promise<ImplicitRun> {
  const environment = { ...process.env, OPENBLAS_NUM_THREADS: '1', OMP_NUM_THREADS: String(threads) }
  const { stdout } = await run(PYTHON, [SCRIPT, file, String(products), String(threads)], { env: environment })
  return JSON.parse(stdout) as ImplicitRun
}
