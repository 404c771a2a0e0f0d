import { setFlagsFromString } from 'node:v8'

/**
 * Say when V8 collects garbage, because by default it collects late while much memory is free: the old generation grows to twice what a collection
 * left, and more in a gateway. When the endpoint's grows by a fifth only, it needs 40 % more CPU for an event in requests of 1,000, because each
 * collection marks all that is left. Endpoint and gateway leave much garbage that is young. With 8 MiB for it in each, and growth of 60 and 50 %, both
 * have 470 MB at full load; with 16 MiB and the default growth they have 563, and the gateway answers 6 % more recommendations. With 4 MiB the endpoint
 * needs a fifth more CPU for such events.
 *
 * The gateway allocates all objects in the young generation. V8 would allocate objects directly in the old one where most of them survive a collection,
 * which is so with many requests in flight, although each is done soon: lists that all differ would leave 14 kB each there, and leave 2 kB.
 */
export const V8_FLAGS = {
  endpoint: ['--heap-growing-percent=60', '--max-semi-space-size=8'],
  consumer: ['--heap-growing-percent=20', '--max-semi-space-size=8'],
  guard: ['--max-semi-space-size=2'],
  gateway: [
    '--max-old-space-size=2000',
    '--heap-growing-percent=50',
    '--max-semi-space-size=8',
    '--no-allocation-site-pretenuring',
  ],
}

/** The flags of the endpoint for a command that runs already, and leaves much garbage. */
export function collectEarly(): void {
  for (const flag of V8_FLAGS.endpoint) setFlagsFromString(flag)
}
