/**
 * With much memory free V8 collects late: at full ingest load endpoint and gateway held 650 to 700 MB together, and about 420
 * with these, for 5 % of the rate. The gateway's old generation may grow more between two collections than the endpoint's, because
 * each costs readers some milliseconds at p99; a small young generation makes the frequent pauses short.
 */
export const V8_FLAGS = {
  endpoint: ['--heap-growing-percent=20', '--max-semi-space-size=4'],
  gateway: ['--max-old-space-size=2000', '--max-semi-space-size=4'],
}
