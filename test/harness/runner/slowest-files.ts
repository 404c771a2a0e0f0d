import type { Reporter, TestModule } from 'vitest/node'

const LISTED = 10

/** Prints the ten slowest files after the summary, and the seconds of each project, when more than ten files ran. */
export default class SlowestFiles implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    if (modules.length <= LISTED) return
    const files = modules.map((module) => ({ project: module.project.name, file: module.relativeModuleId, ms: msOf(module) }))
    const slowest = files.toSorted((a, b) => b.ms - a.ms).slice(0, LISTED)
    const projects = Map.groupBy(files, ({ project }) => project)
    const sums = [...projects].map(([project, ofProject]) => `${project} ${seconds(sum(ofProject))}`)
    console.log(`The ${LISTED} slowest of ${files.length} files:`)
    for (const { project, file, ms } of slowest) console.log(`${seconds(ms).padStart(9)}  ${project.padEnd(8)}  ${file}`)
    console.log(`All files, of which several run at a time: ${seconds(sum(files))} (${sums.join(', ')})\n`)
  }
}

function msOf(module: TestModule): number {
  const { setupDuration, collectDuration, duration } = module.diagnostic()
  return setupDuration + collectDuration + duration
}

function sum(files: { ms: number }[]): number {
  return files.reduce((total, { ms }) => total + ms, 0)
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
