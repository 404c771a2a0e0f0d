import { setFlagsFromString } from 'node:v8'

/**
 * Make V8 collect garbage earlier, because it collects late while much memory is free. At full ingest load, endpoint and gateway held
 * 650 to 700 MB together without these flags and about 440 MB with them, at 5 % less throughput. The gateway's old generation may
 * grow more between two collections than the endpoint's, because each collection costs readers some milliseconds at p99. Both leave
 * much garbage that is young: with 16 MiB for it the endpoint takes 20 % less processor for events in requests of 1,000 than with 4, and
 * 24 MB more memory; the gateway answers 26 % more recommendations, and takes no more memory.
 */
export const V8_FLAGS = {
  endpoint: ['--heap-growing-percent=20', '--max-semi-space-size=16'],
  consumer: ['--heap-growing-percent=20', '--max-semi-space-size=8'],
  guard: ['--max-semi-space-size=2'],
  gateway: ['--max-old-space-size=2000', '--max-semi-space-size=16'],
}

/** The flags of the endpoint for a command that runs already, and leaves much garbage. */
export function collectEarly(): void {
  for (const flag of V8_FLAGS.endpoint) setFlagsFromString(flag)
}
