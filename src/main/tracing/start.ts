import type { Config } from '../config/config.ts'
import type { Tracing } from './tracing.ts'

const OFF: Tracing = { isOn: false, hooks: [], store: {}, stop: async () => undefined }

/** Loads OpenTelemetry only when a receiver of traces is configured. */
export async function startTracing(config: Config, name: string, onProblem: (error: unknown) => void): Promise<Tracing> {
  const url = tracesUrlOf(config)
  if (url === undefined) return OFF
  const { startOpenTelemetry } = await import('./open-telemetry.ts')
  return startOpenTelemetry({ url, name, ratio: config.OTEL_TRACES_SAMPLER_ARG, onProblem })
}

/** Environment variables by which restate-server sends its spans to the same receiver, with the same sampling. */
export function restateTracing(config: Config): Record<string, string> {
  const url = tracesUrlOf(config)
  if (url === undefined) return {}
  return {
    RESTATE_TRACING_ENDPOINT: `otlp+${url}`,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: String(config.OTEL_TRACES_SAMPLER_ARG),
  }
}

/** The address for traces, which the standard derives from the base address; undefined when traces are off. */
function tracesUrlOf(config: Config): string | undefined {
  const base = config.OTEL_EXPORTER_OTLP_ENDPOINT
  return base === undefined ? undefined : `${base.replace(/\/$/, '')}/v1/traces`
}
