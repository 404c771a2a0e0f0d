import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll } from 'vitest'
import { evaluateCommand } from '../../src/cli/commands/evaluate.ts'
import { jsonOf } from '../../src/cli/evaluate/output.ts'
import type { EvaluationPlan } from '../../src/cli/evaluate/plan.ts'
import { runEvaluation } from '../../src/cli/evaluate/run.ts'

/** A folder of files of the test, and evaluations of them. */

export let folder: string

/** Each file calls this, because its worker loads this module once for all files. */
export function withFolder(): void {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'footfall-test-'))
  })
  afterAll(async () => rm(folder, { recursive: true }))
}

export async function fileOf(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, name.endsWith('.gz') ? gzipSync(text) : text)
  return path
}

export async function planOf(...args: string[]): Promise<EvaluationPlan> {
  let planned: EvaluationPlan | undefined
  const command = evaluateCommand(async (plan) => void (planned = plan)).exitOverride()
  await command.configureOutput({ writeErr: () => undefined }).parseAsync(['node', 'evaluate', ...args, '--workers', '1'])
  return planned!
}

export async function evaluate(...args: string[]) {
  const evaluation = await runEvaluation(await planOf(...args), () => undefined)
  return { evaluation, json: jsonOf(evaluation) as Record<string, never> }
}
