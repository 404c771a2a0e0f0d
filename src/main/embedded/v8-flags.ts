import { setFlagsFromString } from 'node:v8'

/**
 * Make V8 collect garbage earlier, because it collects late while much memory is free. At full ingest load, endpoint and gateway held
 * 650 to 700 MB together without these flags and about 420 MB with them, at 5 % less throughput. The gateway's old generation may
 * grow more between two collections than the endpoint's, because each collection costs readers some milliseconds at p99. A small
 * young generation makes the frequent pauses short. Recommendations leave much garbage, so the gateway's is larger: with 16 MiB it answers
 * 26 % more of them than with 4, and takes no more memory.
 */
export const V8_FLAGS = {
  endpoint: ['--heap-growing-percent=20', '--max-semi-space-size=4'],
  consumer: ['--heap-growing-percent=20', '--max-semi-space-size=8'],
  guard: ['--max-semi-space-size=2'],
  gateway: ['--max-old-space-size=2000', '--max-semi-space-size=16'],
}

/** The flags of the endpoint for a command that runs already, and leaves much garbage. */
export function collectEarly(): void {
  for (const flag of V8_FLAGS.endpoint) setFlagsFromString(flag)
}
