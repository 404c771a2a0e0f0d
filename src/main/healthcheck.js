// Exits with 0 when the process of this container answers. Plain JavaScript without imports, because it starts every few seconds.
const { GATEWAY_PORT = 3000, ENDPOINT_METRICS_PORT = 9081 } = process.env
const isAlive = (url) => fetch(url, { signal: AbortSignal.timeout(2_500) }).then((answer) => answer.ok)
const probes = [`http://127.0.0.1:${GATEWAY_PORT}/health`, `http://127.0.0.1:${ENDPOINT_METRICS_PORT}/health`].map(isAlive)
process.exitCode = await Promise.any(probes).then(
  (isHealthy) => (isHealthy ? 0 : 1),
  () => 1,
)
