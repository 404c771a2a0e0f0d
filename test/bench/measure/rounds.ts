/**
 * Runs every way once per round, so that other work of the machine affects all of them alike. A first round warms up and is not
 * counted.
 */
export async function interleaved<Name extends string, Run>(
  ways: Record<Name, (isWarmUp: boolean) => Promise<Run>>,
  rounds: number,
): Promise<Record<Name, Run[]>> {
  const names = Object.keys(ways) as Name[]
  const runs = Object.fromEntries(names.map((name) => [name, [] as Run[]])) as Record<Name, Run[]>
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const run = await ways[name](round === 0)
      if (round > 0) runs[name].push(run)
    }
  }
  return runs
}

/** One number of each run. */
export function series<Run>(runs: readonly Run[], number: (run: Run) => number): number[] {
  return runs.map(number)
}

/** The median of the rounds' ratios. */
export function ratioOf(upper: readonly number[], lower: readonly number[]): number {
  return median(upper.map((value, round) => value / lower[round]!))
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
